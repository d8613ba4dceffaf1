// dispatch 25 x 1 x 1; weight: operand, x: operand, bias: operand, y_out: result
// y = x weight^T + bias: x [1, 97] (leading axes as one), weight [100, 97].

@group(0) @binding(0) var<storage, read> weight: array<f32>; // [100, 97]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [1, 97]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // [100]
@group(0) @binding(3) var<storage, read_write> y_out: array<f32>; // [1, 100]

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let column = group.x * 4u + lane / 16u;
  let part = lane % 16u;
  var sum_0 = 0.0;
  for (var k = part; k < 97u; k += 16u) {
    let weight_at = weight[column * 97u + k];
    let x_at = x[k];
    sum_0 += x_at * weight_at;
  }
  partial[lane] = sum_0;
  workgroupBarrier();
  // One invocation a result adds the sixteen parts.
  if (lane < 4u) {
    let n = group.x * 4u + lane % 4u;
    var total = 0.0;
    for (var p = 0u; p < 16u; p++) {
      total += partial[lane * 16u + p];
    }
    if (n < 100u) {
      let bias_at = bias[n];
      let linear = total + bias_at;
      y_out[(lane / 4u) * 100u + n] = linear;
    }
  }
}
