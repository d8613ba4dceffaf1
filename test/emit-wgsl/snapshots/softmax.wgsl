// dispatch 3 x 1 x 1; x: operand, y_out: result
// y[i] = exp(x[i] - m) / sum_j exp(x[j] - m), m = max x, along axis 1 of [5, 97].

@group(0) @binding(0) var<storage, read> x: array<f32>; // [5, 97]
@group(0) @binding(1) var<storage, read_write> y_out: array<f32>; // [5, 97]

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let line = group.x * 2u + lane / 32u;
  let part = lane % 32u;
  let line_read = min(line, 4u);
  var kept = array<f32, 4>();
  for (var r = 0u; r < 4u; r++) {
    let i = part + r * 32u;
    if (i < 97u) {
      let x_at = x[line_read * 97u + i];
      kept[r] = x_at;
    }
  }
  var part_most = -3.4028234663852886e38;
  for (var r = 0u; r < 4u; r++) {
    let i = part + r * 32u;
    if (i < 97u) {
      part_most = max(part_most, kept[r]);
    }
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
  for (var r = 0u; r < 4u; r++) {
    let i = part + r * 32u;
    if (i < 97u) {
      part_sum += exp(kept[r] - most);
    }
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
    for (var r = 0u; r < 4u; r++) {
      let i = part + r * 32u;
      if (i < 97u) {
        let softmax = exp(kept[r] - most) / total;
        y_out[line_read * 97u + i] = softmax;
      }
    }
  }
}
