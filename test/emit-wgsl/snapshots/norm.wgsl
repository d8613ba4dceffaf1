// dispatch 3 x 1 x 1; residual: operand, branch: operand, weight: operand, sum_2: result, scale: operand, shift: operand, y: result
// y = (x - mean) / sqrt(variance + epsilon) * weight + bias: 18 rows of 24, 8 a workgroup, 8 invocations each.
//   with add: y = a + b; operands broadcast
//   with scale: y = factor x + offset, with both known at compile time
//   with mul: y = a b; operands broadcast

@group(0) @binding(0) var<storage, read> residual: array<vec4f>;
@group(0) @binding(1) var<storage, read> branch: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> sum_2: array<vec4f>;
@group(0) @binding(4) var<storage, read> scale: array<vec4f>;
@group(0) @binding(5) var<storage, read> shift: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let line = group.x * 8u + lane / 8u;
  let part = lane % 8u;
  let line_read = min(line, 17u);
  let i = part * 4u;
  var kept = vec4f();
  if (i < 24u) {
    let residual_at = residual[(line_read * 24u + i) / 4u];
    let branch_at = branch[(line_read * 24u + i) / 4u];
    let sum = residual_at + branch_at;
    kept = sum;
  }
  var part_sum = 0.0;
  if (i < 24u) {
    part_sum += dot(kept, vec4f(1.0));
  }
  partial[lane] = part_sum;
  workgroupBarrier();
  if (lane % 8u < 4u) {
    partial[lane] = partial[lane] + partial[lane + 4u];
  }
  workgroupBarrier();
  if (lane % 8u < 2u) {
    partial[lane] = partial[lane] + partial[lane + 2u];
  }
  workgroupBarrier();
  if (lane % 8u < 1u) {
    partial[lane] = partial[lane] + partial[lane + 1u];
  }
  workgroupBarrier();
  let total = partial[lane - lane % 8u];
  workgroupBarrier();
  let mean = total / 24.0;
  var part_sum_1 = 0.0;
  if (i < 24u) {
    let centred = kept - mean;
    part_sum_1 += dot(centred * centred, vec4f(1.0));
  }
  partial[lane] = part_sum_1;
  workgroupBarrier();
  if (lane % 8u < 4u) {
    partial[lane] = partial[lane] + partial[lane + 4u];
  }
  workgroupBarrier();
  if (lane % 8u < 2u) {
    partial[lane] = partial[lane] + partial[lane + 2u];
  }
  workgroupBarrier();
  if (lane % 8u < 1u) {
    partial[lane] = partial[lane] + partial[lane + 1u];
  }
  workgroupBarrier();
  let total_1 = partial[lane - lane % 8u];
  workgroupBarrier();
  let variance = total_1 / 24.0;
  let inverse = inverseSqrt(variance + 0.000009999999747378752);
  if (line < 18u) {
    if (i < 24u) {
      let weight_at = weight[i / 4u];
      let layer_norm = (kept - mean) * inverse * weight_at;
      let residual_at_1 = residual[(line_read * 24u + i) / 4u];
      let branch_at_1 = branch[(line_read * 24u + i) / 4u];
      let sum_1 = residual_at_1 + branch_at_1;
      sum_2[(line_read * 24u + i) / 4u] = sum_1;
      let scale_at = scale[i / 4u];
      let scale_1 = scale_at + vec4f(1.0);
      let mul = layer_norm * scale_1;
      let shift_at = shift[i / 4u];
      let add = mul + shift_at;
      y[(line_read * 24u + i) / 4u] = add;
    }
  }
}
