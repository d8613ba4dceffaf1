// dispatch 1 x 1 x 1; x: operand, y_out: result
// y = least i with x[i] = max x, along axis 1 of [5, 100].

@group(0) @binding(0) var<storage, read> x: array<vec4f>; // [5, 100]
@group(0) @binding(1) var<storage, read_write> y_out: array<i32>; // [5]

var<workgroup> values: array<f32, 40>;
var<workgroup> indices: array<u32, 40>;

@compute @workgroup_size(40)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let line = group.x * 5u + lane / 8u;
  let part = lane % 8u;
  var kept = array<vec4f, 4>();
  for (var r = 0u; r < 4u; r++) {
    let i = part * 4u + r * 32u;
    if (i < 100u) {
      let x_at = x[(line * 100u + i) / 4u];
      kept[r] = x_at;
    }
  }
  var best = -3.4028234663852886e38;
  var best_at = 100u;
  for (var r = 0u; r < 4u; r++) {
    let i = part * 4u + r * 32u;
    if (i < 100u) {
      if (kept[r].x > best) {
        best = kept[r].x; best_at = i + 0u;
      }
      if (kept[r].y > best) {
        best = kept[r].y; best_at = i + 1u;
      }
      if (kept[r].z > best) {
        best = kept[r].z; best_at = i + 2u;
      }
      if (kept[r].w > best) {
        best = kept[r].w; best_at = i + 3u;
      }
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
    let other = values[lane + 2u];
    let other_at = indices[lane + 2u];
    if (other > values[lane] || (other == values[lane] && other_at < indices[lane])) {
      values[lane] = other; indices[lane] = other_at;
    }
  }
  workgroupBarrier();
  if (lane % 8u < 1u) {
    let other = values[lane + 1u];
    let other_at = indices[lane + 1u];
    if (other > values[lane] || (other == values[lane] && other_at < indices[lane])) {
      values[lane] = other; indices[lane] = other_at;
    }
  }
  workgroupBarrier();
  if (part == 0u) {
    let argmax = i32(indices[lane] % 100u);
    y_out[line] = argmax;
  }
}
