// dispatch 1 x 1 x 1; x: operand, y_out: result
// y = whether x is among the 3 largest along axis 1 of [5, 12], ties to the lowest index.

@group(0) @binding(0) var<storage, read> x: array<f32>; // [5, 12]
@group(0) @binding(1) var<storage, read_write> y_out: array<u32>; // [5, 12]

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 64u + lane;
  if (i < 60u) {
    let own = i % 12u;
    let x_at = x[i];
    var before = 0u;
    for (var j = 0u; j < 12u; j++) {
      let x_at_1 = x[(i / 12u) * 12u + j];
      if (x_at_1 > x_at || (x_at_1 == x_at && j < own)) {
        before += 1u;
      }
    }
    let top_mask = before < 3u;
    y_out[i] = select(0u, 1u, top_mask);
  }
}
