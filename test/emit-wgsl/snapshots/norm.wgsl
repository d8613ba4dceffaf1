// dispatch 1 x 1 x 1; residual: operand, branch: operand, weight: operand, sum_3: result, scale: operand, shift: operand, y: result
// y = (x - mean) / sqrt(variance + epsilon) * weight + bias: 18 rows of 24, 18 a workgroup, 2 invocations each.
//   with add: y = a + b; operands broadcast
//   with scale: y = factor x + offset, with both known at compile time
//   with mul: y = a b; operands broadcast

@group(0) @binding(0) var<storage, read> residual: array<vec4f>;
@group(0) @binding(1) var<storage, read> branch: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> sum_3: array<vec4f>;
@group(0) @binding(4) var<storage, read> scale: array<vec4f>;
@group(0) @binding(5) var<storage, read> shift: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;

var<workgroup> partial: array<f32, 36>;

@compute @workgroup_size(36)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let line = group.x * 18u + lane / 2u;
  let part = lane % 2u;
  let i = part * 4u;
  let residual_at = residual[(line * 24u + i) / 4u];
  let branch_at = branch[(line * 24u + i) / 4u];
  let sum = residual_at + branch_at;
  let i_1 = part * 4u + 8u;
  let residual_at_1 = residual[(line * 24u + i_1) / 4u];
  let branch_at_1 = branch[(line * 24u + i_1) / 4u];
  let sum_1 = residual_at_1 + branch_at_1;
  let i_2 = part * 4u + 16u;
  let residual_at_2 = residual[(line * 24u + i_2) / 4u];
  let branch_at_2 = branch[(line * 24u + i_2) / 4u];
  let sum_2 = residual_at_2 + branch_at_2;
  var part_sum = 0.0;
  part_sum += dot(sum, vec4f(1.0));
  part_sum += dot(sum_1, vec4f(1.0));
  part_sum += dot(sum_2, vec4f(1.0));
  partial[lane] = part_sum;
  workgroupBarrier();
  let first = lane - lane % 2u;
  let total = partial[first] + partial[first + 1u];
  workgroupBarrier();
  let mean = total / 24.0;
  var part_sum_1 = 0.0;
  let centred = sum - mean;
  part_sum_1 += dot(centred * centred, vec4f(1.0));
  let centred_1 = sum_1 - mean;
  part_sum_1 += dot(centred_1 * centred_1, vec4f(1.0));
  let centred_2 = sum_2 - mean;
  part_sum_1 += dot(centred_2 * centred_2, vec4f(1.0));
  partial[lane] = part_sum_1;
  workgroupBarrier();
  let total_1 = partial[first] + partial[first + 1u];
  workgroupBarrier();
  let variance = total_1 / 24.0;
  let inverse = inverseSqrt(variance + 0.000009999999747378752);
  let weight_at = weight[i / 4u];
  let layer_norm = (sum - mean) * inverse * weight_at;
  sum_3[(line * 24u + i) / 4u] = sum;
  let scale_at = scale[i / 4u];
  let scale_1 = scale_at + vec4f(1.0);
  let mul = layer_norm * scale_1;
  let shift_at = shift[i / 4u];
  let add = mul + shift_at;
  y[(line * 24u + i) / 4u] = add;
  let weight_at_1 = weight[i_1 / 4u];
  let layer_norm_1 = (sum_1 - mean) * inverse * weight_at_1;
  sum_3[(line * 24u + i_1) / 4u] = sum_1;
  let scale_at_1 = scale[i_1 / 4u];
  let scale_2 = scale_at_1 + vec4f(1.0);
  let mul_1 = layer_norm_1 * scale_2;
  let shift_at_1 = shift[i_1 / 4u];
  let add_1 = mul_1 + shift_at_1;
  y[(line * 24u + i_1) / 4u] = add_1;
  let weight_at_2 = weight[i_2 / 4u];
  let layer_norm_2 = (sum_2 - mean) * inverse * weight_at_2;
  sum_3[(line * 24u + i_2) / 4u] = sum_2;
  let scale_at_2 = scale[i_2 / 4u];
  let scale_3 = scale_at_2 + vec4f(1.0);
  let mul_2 = layer_norm_2 * scale_3;
  let shift_at_2 = shift[i_2 / 4u];
  let add_2 = mul_2 + shift_at_2;
  y[(line * 24u + i_2) / 4u] = add_2;
}
