// dispatch 1 x 1 x 1; residual: operand, branch: operand, weight: operand, sum_out: result, scale: operand, shift: operand, y_out: result
// y = (x - mean) / sqrt(variance + epsilon) * weight + bias: 18 rows of 24, 18 a workgroup, 2 invocations each.
//   with x = residual + branch
//   with sum = residual + branch
//   with y = layer_norm * (scale + 1) + shift

@group(0) @binding(0) var<storage, read> residual: array<vec4f>; // [2, 9, 24]
@group(0) @binding(1) var<storage, read> branch: array<vec4f>; // [2, 9, 24]
@group(0) @binding(2) var<storage, read> weight: array<vec4f>; // [24]
@group(0) @binding(3) var<storage, read_write> sum_out: array<vec4f>; // [2, 9, 24]
@group(0) @binding(4) var<storage, read> scale: array<vec4f>; // [1, 1, 24]
@group(0) @binding(5) var<storage, read> shift: array<vec4f>; // [1, 1, 24]
@group(0) @binding(6) var<storage, read_write> y_out: array<vec4f>; // [2, 9, 24]

var<workgroup> partial: array<f32, 36>;

@compute @workgroup_size(36)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let line = group.x * 18u + lane / 2u;
  let part = lane % 2u;
  var kept = array<vec4f, 3>();
  for (var r = 0u; r < 3u; r++) {
    let i = part * 4u + r * 8u;
    let residual_at = residual[(line * 24u + i) / 4u];
    let branch_at = branch[(line * 24u + i) / 4u];
    let sum = residual_at + branch_at;
    kept[r] = sum;
  }
  var part_sum = 0.0;
  for (var r = 0u; r < 3u; r++) {
    part_sum += dot(kept[r], vec4f(1.0));
  }
  partial[lane] = part_sum;
  workgroupBarrier();
  let first = lane - lane % 2u;
  let total = partial[first] + partial[first + 1u];
  workgroupBarrier();
  let mean = total / 24.0;
  var part_sum_1 = 0.0;
  for (var r = 0u; r < 3u; r++) {
    let centred = kept[r] - mean;
    part_sum_1 += dot(centred * centred, vec4f(1.0));
  }
  partial[lane] = part_sum_1;
  workgroupBarrier();
  let total_1 = partial[first] + partial[first + 1u];
  workgroupBarrier();
  let variance = total_1 / 24.0;
  let inverse = inverseSqrt(variance + 0.00001);
  for (var r = 0u; r < 3u; r++) {
    let i = part * 4u + r * 8u;
    let weight_at = weight[i / 4u];
    let layer_norm = (kept[r] - mean) * inverse * weight_at;
    let residual_at = residual[(line * 24u + i) / 4u];
    let branch_at = branch[(line * 24u + i) / 4u];
    let sum = residual_at + branch_at;
    sum_out[(line * 24u + i) / 4u] = sum;
    let scale_at = scale[i / 4u];
    let scale_1 = scale_at + vec4f(1.0);
    let mul = layer_norm * scale_1;
    let shift_at = shift[i / 4u];
    let add = mul + shift_at;
    y_out[(line * 24u + i) / 4u] = add;
  }
}
