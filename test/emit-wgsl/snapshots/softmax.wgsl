// dispatch 3 x 1 x 1; x: operand, y: result
// y[i] = exp(x[i] - m) / sum_j exp(x[j] - m), m = max x, along axis 1 of [5, 97].

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let line = group.x * 2u + lane / 32u;
  let part = lane % 32u;
  let line_read = min(line, 4u);
  let x_at = x[line_read * 97u + part];
  let i = part + 32u;
  let x_at_1 = x[line_read * 97u + i];
  let i_1 = part + 64u;
  let x_at_2 = x[line_read * 97u + i_1];
  let i_2 = part + 96u;
  var kept = 0.0;
  if (i_2 < 97u) {
    let x_at_3 = x[line_read * 97u + i_2];
    kept = x_at_3;
  }
  var part_most = -3.4028234663852886e38;
  part_most = max(part_most, x_at);
  part_most = max(part_most, x_at_1);
  part_most = max(part_most, x_at_2);
  if (i_2 < 97u) {
    part_most = max(part_most, kept);
  }
  partial[lane] = part_most;
  workgroupBarrier();
  if (lane % 32u < 16u) {
    partial[lane] = max(partial[lane], partial[lane + 16u]);
  }
  workgroupBarrier();
  if (lane % 32u < 8u) {
    partial[lane] = max(partial[lane], partial[lane + 8u]);
  }
  workgroupBarrier();
  let first = lane - lane % 32u;
  let most = max(max(max(max(max(max(max(partial[first], partial[first + 1u]), partial[first + 2u]), partial[first + 3u]), partial[first + 4u]), partial[first + 5u]), partial[first + 6u]), partial[first + 7u]);
  workgroupBarrier();
  var part_sum = 0.0;
  part_sum += exp(x_at - most);
  part_sum += exp(x_at_1 - most);
  part_sum += exp(x_at_2 - most);
  if (i_2 < 97u) {
    part_sum += exp(kept - most);
  }
  partial[lane] = part_sum;
  workgroupBarrier();
  if (lane % 32u < 16u) {
    partial[lane] = partial[lane] + partial[lane + 16u];
  }
  workgroupBarrier();
  if (lane % 32u < 8u) {
    partial[lane] = partial[lane] + partial[lane + 8u];
  }
  workgroupBarrier();
  let total = partial[first] + partial[first + 1u] + partial[first + 2u] + partial[first + 3u] + partial[first + 4u] + partial[first + 5u] + partial[first + 6u] + partial[first + 7u];
  workgroupBarrier();
  if (line < 5u) {
    let softmax = exp(x_at - most) / total;
    y[line_read * 97u + part] = softmax;
    let softmax_1 = exp(x_at_1 - most) / total;
    y[line_read * 97u + i] = softmax_1;
    let softmax_2 = exp(x_at_2 - most) / total;
    y[line_read * 97u + i_1] = softmax_2;
    if (i_2 < 97u) {
      let softmax_3 = exp(kept - most) / total;
      y[line_read * 97u + i_2] = softmax_3;
    }
  }
}
