// dispatch 2 x 1 x 1; partials: scratch, x: operand, table: operand
// y = least i with |x - table[i]|_2 least: 7 rows of 16, table [97, 16].
// Rows in tiles of 16, the vocabulary in 2 slices of 1 x 64; scores stay in workgroup memory.

@group(0) @binding(0) var<storage, read_write> partials: array<f32>; // [56]
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [1, 7, 16]
@group(0) @binding(2) var<storage, read> table: array<vec4f>; // [97, 16]

var<workgroup> a_slab: array<vec4f, 64>;
var<workgroup> b_slab: array<vec4f, 256>;
var<workgroup> tops: array<f32, 256>;
var<workgroup> top_at: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  // Sixteen invocations a row, entries own, own + 16, own + 32 and own + 48 of a tile each.
  let own = lane % 16u;
  let mine = lane / 16u;
  let row_tile = group.y * 16u;
  let row = min(row_tile + mine, 6u);
  var most = -3.4028234663852886e38;
  var sum = 0.0;
  var best_at = 0u;
  for (var tile = group.x; tile < min(group.x * 1u + 1u, 2u); tile++) {
    let first = tile * 64u;
    var distance_ = vec4f();
    for (var k0 = 0u; k0 < 16u; k0 += 16u) {
      let k = k0 + (lane % 4u) * 4u;
      if (lane < 64u) {
        let row_read = min(row_tile + lane / 4u, 6u);
        let x_at = x[(row_read * 16u + k) / 4u];
        a_slab[lane] = x_at;
      }
      let entry_read = min(first + lane / 4u, 96u);
      let table_at = table[(entry_read * 16u + k) / 4u];
      b_slab[(lane % 4u) * 64u + lane / 4u] = table_at;
      workgroupBarrier();
      for (var q = 0u; q < 4u; q++) {
        let x_1 = a_slab[mine * 4u + q];
        let y = b_slab[q * 64u + own];
        let d = x_1 - y;
        let y_1 = b_slab[q * 64u + own + 16u];
        let d_1 = x_1 - y_1;
        let y_2 = b_slab[q * 64u + own + 32u];
        let d_2 = x_1 - y_2;
        let y_3 = b_slab[q * 64u + own + 48u];
        let d_3 = x_1 - y_3;
        distance_ += vec4f(dot(d, d), dot(d_1, d_1), dot(d_2, d_2), dot(d_3, d_3));
      }
      workgroupBarrier();
    }
    let entry = first + own;
    let entry_1 = first + own + 16u;
    let entry_2 = first + own + 32u;
    let entry_3 = first + own + 48u;
    let entry_read = min(entry, 96u);
    let score = select(-3.4028234663852886e38, -distance_.x, entry < 97u);
    let entry_read_1 = min(entry_1, 96u);
    let score_1 = select(-3.4028234663852886e38, -distance_.y, entry_1 < 97u);
    let entry_read_2 = min(entry_2, 96u);
    let score_2 = select(-3.4028234663852886e38, -distance_.z, entry_2 < 97u);
    let entry_read_3 = min(entry_3, 96u);
    let score_3 = select(-3.4028234663852886e38, -distance_.w, entry_3 < 97u);
    // The largest of the tile's scores; on a tie the least entry.
    var top = score;
    var at = entry;
    if (score_1 > top) {
      top = score_1; at = entry_1;
    }
    if (score_2 > top) {
      top = score_2; at = entry_2;
    }
    if (score_3 > top) {
      top = score_3; at = entry_3;
    }
    tops[lane] = top;
    top_at[lane] = at;
    workgroupBarrier();
    let base = lane - lane % 16u;
    for (var i = base; i < base + 16u; i++) {
      let other = tops[i];
      let other_at = top_at[i];
      if (other > top || (other == top && other_at < at)) {
        top = other; at = other_at;
      }
    }
    let before = most;
    if (top > most) {
      most = top; best_at = at;
    }
    workgroupBarrier();
  }
  // One record a row of this slice.
  if (own == 0u && row_tile + mine < 7u) {
    partials[((group.x * 7u + row_tile + mine)) * 4u] = most;
    partials[((group.x * 7u + row_tile + mine)) * 4u + 2u] = most;
    partials[((group.x * 7u + row_tile + mine)) * 4u + 3u] = bitcast<f32>(best_at);
  }
}

// dispatch 1 x 1 x 1; partials: scratch, y_out: result
// y = least i with |x - table[i]|_2 least: 7 rows of 16, table [97, 16].
// Joins the 2 slices of each of 7 rows.

@group(0) @binding(0) var<storage, read> partials: array<f32>; // [56]
@group(0) @binding(1) var<storage, read_write> y_out: array<i32>; // [1, 7]

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 64u + lane;
  if (i < 7u) {
    if (0u == 0u) {
      var best = partials[((i)) * 4u + 2u];
      var found = bitcast<u32>(partials[((i)) * 4u + 3u]);
      for (var slice = 1u; slice < 2u; slice++) {
        let value = partials[((slice * 7u + i)) * 4u + 2u];
        if (value > best) {
          best = value; found = bitcast<u32>(partials[((slice * 7u + i)) * 4u + 3u]);
        }
      }
      let nearest_row = i32(found);
      y_out[i] = nearest_row;
    }
  }
}
