// dispatch 1 x 1 x 1; x: operand, y: result
// y = least i with x[i] = max x, along axis 1 of [5, 100].

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<i32>;

var<workgroup> values: array<f32, 40>;
var<workgroup> indices: array<u32, 40>;

@compute @workgroup_size(40)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let line = group.x * 5u + lane / 8u;
  let part = lane % 8u;
  let i = part * 4u;
  let x_at = x[(line * 100u + i) / 4u];
  let i_1 = part * 4u + 32u;
  let x_at_1 = x[(line * 100u + i_1) / 4u];
  let i_2 = part * 4u + 64u;
  let x_at_2 = x[(line * 100u + i_2) / 4u];
  let i_3 = part * 4u + 96u;
  var kept = vec4f();
  if (i_3 < 100u) {
    let x_at_3 = x[(line * 100u + i_3) / 4u];
    kept = x_at_3;
  }
  var best = -3.4028234663852886e38;
  var best_at = 100u;
  if (x_at.x > best) {
    best = x_at.x; best_at = i + 0u;
  }
  if (x_at.y > best) {
    best = x_at.y; best_at = i + 1u;
  }
  if (x_at.z > best) {
    best = x_at.z; best_at = i + 2u;
  }
  if (x_at.w > best) {
    best = x_at.w; best_at = i + 3u;
  }
  if (x_at_1.x > best) {
    best = x_at_1.x; best_at = i_1 + 0u;
  }
  if (x_at_1.y > best) {
    best = x_at_1.y; best_at = i_1 + 1u;
  }
  if (x_at_1.z > best) {
    best = x_at_1.z; best_at = i_1 + 2u;
  }
  if (x_at_1.w > best) {
    best = x_at_1.w; best_at = i_1 + 3u;
  }
  if (x_at_2.x > best) {
    best = x_at_2.x; best_at = i_2 + 0u;
  }
  if (x_at_2.y > best) {
    best = x_at_2.y; best_at = i_2 + 1u;
  }
  if (x_at_2.z > best) {
    best = x_at_2.z; best_at = i_2 + 2u;
  }
  if (x_at_2.w > best) {
    best = x_at_2.w; best_at = i_2 + 3u;
  }
  if (i_3 < 100u) {
    if (kept.x > best) {
      best = kept.x; best_at = i_3 + 0u;
    }
    if (kept.y > best) {
      best = kept.y; best_at = i_3 + 1u;
    }
    if (kept.z > best) {
      best = kept.z; best_at = i_3 + 2u;
    }
    if (kept.w > best) {
      best = kept.w; best_at = i_3 + 3u;
    }
  }
  values[lane] = best;
  indices[lane] = best_at;
  workgroupBarrier();
  if (lane % 8u < 4u) {
    let other = values[lane + 4u];
    let other_at = indices[lane + 4u];
    if (other > values[lane] || (other == values[lane] && other_at < indices[lane])) {
      values[lane] = other; indices[lane] = other_at;
    }
  }
  workgroupBarrier();
  if (lane % 8u < 2u) {
    let other_1 = values[lane + 2u];
    let other_at_1 = indices[lane + 2u];
    if (other_1 > values[lane] || (other_1 == values[lane] && other_at_1 < indices[lane])) {
      values[lane] = other_1; indices[lane] = other_at_1;
    }
  }
  workgroupBarrier();
  if (lane % 8u < 1u) {
    let other_2 = values[lane + 1u];
    let other_at_2 = indices[lane + 1u];
    if (other_2 > values[lane] || (other_2 == values[lane] && other_at_2 < indices[lane])) {
      values[lane] = other_2; indices[lane] = other_at_2;
    }
  }
  workgroupBarrier();
  if (part == 0u) {
    let argmax = i32(indices[lane] % 100u);
    y[line] = argmax;
  }
}
