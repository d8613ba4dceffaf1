// dispatch 5 x 1 x 1; x: operand, y: result
// y[i] = exp(x[i] - m) / sum_j exp(x[j] - m), m = max x, along axis 1 of [5, 97].

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 128>;

@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  var kept = 0.0;
  if (lane < 97u) {
    let x_at = x[group.x * 97u + lane];
    kept = x_at;
  }
  var part_most = -3.4028234663852886e38;
  if (lane < 97u) {
    part_most = max(part_most, kept);
  }
  partial[lane] = part_most;
  workgroupBarrier();
  if (lane < 64u) {
    partial[lane] = max(partial[lane], partial[lane + 64u]);
  }
  workgroupBarrier();
  if (lane < 32u) {
    partial[lane] = max(partial[lane], partial[lane + 32u]);
  }
  workgroupBarrier();
  if (lane < 16u) {
    partial[lane] = max(partial[lane], partial[lane + 16u]);
  }
  workgroupBarrier();
  if (lane < 8u) {
    partial[lane] = max(partial[lane], partial[lane + 8u]);
  }
  workgroupBarrier();
  if (lane < 4u) {
    partial[lane] = max(partial[lane], partial[lane + 4u]);
  }
  workgroupBarrier();
  if (lane < 2u) {
    partial[lane] = max(partial[lane], partial[lane + 2u]);
  }
  workgroupBarrier();
  if (lane < 1u) {
    partial[lane] = max(partial[lane], partial[lane + 1u]);
  }
  workgroupBarrier();
  let most = partial[0];
  workgroupBarrier();
  var part_sum = 0.0;
  if (lane < 97u) {
    part_sum += exp(kept - most);
  }
  partial[lane] = part_sum;
  workgroupBarrier();
  if (lane < 64u) {
    partial[lane] = partial[lane] + partial[lane + 64u];
  }
  workgroupBarrier();
  if (lane < 32u) {
    partial[lane] = partial[lane] + partial[lane + 32u];
  }
  workgroupBarrier();
  if (lane < 16u) {
    partial[lane] = partial[lane] + partial[lane + 16u];
  }
  workgroupBarrier();
  if (lane < 8u) {
    partial[lane] = partial[lane] + partial[lane + 8u];
  }
  workgroupBarrier();
  if (lane < 4u) {
    partial[lane] = partial[lane] + partial[lane + 4u];
  }
  workgroupBarrier();
  if (lane < 2u) {
    partial[lane] = partial[lane] + partial[lane + 2u];
  }
  workgroupBarrier();
  if (lane < 1u) {
    partial[lane] = partial[lane] + partial[lane + 1u];
  }
  workgroupBarrier();
  let total = partial[0];
  workgroupBarrier();
  if (lane < 97u) {
    let softmax = exp(kept - most) / total;
    y[group.x * 97u + lane] = softmax;
  }
}
