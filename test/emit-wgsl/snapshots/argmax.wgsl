// dispatch 3 x 1 x 1; x: operand, y: result
// y = least i with x[i] = max x, along axis 1 of [5, 100].

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<i32>;

var<workgroup> values: array<f32, 64>;
var<workgroup> indices: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let line = group.x * 2u + lane / 32u;
  let part = lane % 32u;
  let line_read = min(line, 4u);
  let i = part * 4u;
  var kept = vec4f();
  if (i < 100u) {
    let x_at = x[(line_read * 100u + i) / 4u];
    kept = x_at;
  }
  var best = -3.4028234663852886e38;
  var best_at = 100u;
  if (i < 100u) {
    if (kept.x > best) {
      best = kept.x; best_at = i + 0u;
    }
    if (kept.y > best) {
      best = kept.y; best_at = i + 1u;
    }
    if (kept.z > best) {
      best = kept.z; best_at = i + 2u;
    }
    if (kept.w > best) {
      best = kept.w; best_at = i + 3u;
    }
  }
  values[lane] = best;
  indices[lane] = best_at;
  workgroupBarrier();
  if (lane % 32u < 16u) {
    let other = values[lane + 16u];
    let other_at = indices[lane + 16u];
    if (other > values[lane] || (other == values[lane] && other_at < indices[lane])) {
      values[lane] = other; indices[lane] = other_at;
    }
  }
  workgroupBarrier();
  if (lane % 32u < 8u) {
    let other_1 = values[lane + 8u];
    let other_at_1 = indices[lane + 8u];
    if (other_1 > values[lane] || (other_1 == values[lane] && other_at_1 < indices[lane])) {
      values[lane] = other_1; indices[lane] = other_at_1;
    }
  }
  workgroupBarrier();
  if (lane % 32u < 4u) {
    let other_2 = values[lane + 4u];
    let other_at_2 = indices[lane + 4u];
    if (other_2 > values[lane] || (other_2 == values[lane] && other_at_2 < indices[lane])) {
      values[lane] = other_2; indices[lane] = other_at_2;
    }
  }
  workgroupBarrier();
  if (lane % 32u < 2u) {
    let other_3 = values[lane + 2u];
    let other_at_3 = indices[lane + 2u];
    if (other_3 > values[lane] || (other_3 == values[lane] && other_at_3 < indices[lane])) {
      values[lane] = other_3; indices[lane] = other_at_3;
    }
  }
  workgroupBarrier();
  if (lane % 32u < 1u) {
    let other_4 = values[lane + 1u];
    let other_at_4 = indices[lane + 1u];
    if (other_4 > values[lane] || (other_4 == values[lane] && other_at_4 < indices[lane])) {
      values[lane] = other_4; indices[lane] = other_at_4;
    }
  }
  workgroupBarrier();
  if (part == 0u && line < 5u) {
    let argmax = i32(indices[lane] % 100u);
    y[line_read] = argmax;
  }
}
