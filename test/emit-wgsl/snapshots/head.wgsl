// dispatch 2 x 1 x 1; partials: scratch, x: operand, weight: operand, table: operand
// logits = x [7, 24] by [97], x0 = softmax(logits) E, E [97, 16], tokens = argmax logits.
// Rows in tiles of 16, the vocabulary in 2 slices of 1 x 64; scores stay in workgroup memory.

@group(0) @binding(0) var<storage, read_write> partials: array<f32>; // [280]
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [1, 7, 24]
@group(0) @binding(2) var<storage, read> weight: array<vec4f>; // [97, 24]
@group(0) @binding(3) var<storage, read> table: array<vec4f>; // [97, 16]

var<workgroup> a_slab: array<vec4f, 64>;
var<workgroup> b_slab: array<vec4f, 256>;
var<workgroup> tops: array<f32, 256>;
var<workgroup> top_at: array<u32, 256>;
var<workgroup> weights: array<f32, 1024>;
var<workgroup> shrink: array<f32, 16>;

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
  let column_group = lane % 4u;
  let row_part = lane / 4u;
  var mean_0_0 = vec4f();
  for (var tile = group.x; tile < min(group.x * 1u + 1u, 2u); tile++) {
    let first = tile * 64u;
    var dot_ = vec4f();
    for (var k0 = 0u; k0 < 24u; k0 += 16u) {
      let k = k0 + (lane % 4u) * 4u;
      if (lane < 64u) {
        let row_read = min(row_tile + lane / 4u, 6u);
        let t = min(k, 20u);
        let x_at = x[(row_read * 24u + t) / 4u];
        a_slab[lane] = select(vec4f(), x_at, k < 24u);
      }
      let entry_read = min(first + lane / 4u, 96u);
      let t = min(k, 20u);
      let weight_at = weight[(entry_read * 24u + t) / 4u];
      b_slab[(lane % 4u) * 64u + lane / 4u] = select(vec4f(), weight_at, k < 24u);
      workgroupBarrier();
      for (var q = 0u; q < 4u; q++) {
        let x_1 = a_slab[mine * 4u + q];
        let y = b_slab[q * 64u + own];
        let y_1 = b_slab[q * 64u + own + 16u];
        let y_2 = b_slab[q * 64u + own + 32u];
        let y_3 = b_slab[q * 64u + own + 48u];
        dot_ += vec4f(dot(x_1, y), dot(x_1, y_1), dot(x_1, y_2), dot(x_1, y_3));
      }
      workgroupBarrier();
    }
    let entry = first + own;
    let entry_1 = first + own + 16u;
    let entry_2 = first + own + 32u;
    let entry_3 = first + own + 48u;
    let entry_read = min(entry, 96u);
    let score = select(-3.4028234663852886e38, dot_.x, entry < 97u);
    let entry_read_1 = min(entry_1, 96u);
    let score_1 = select(-3.4028234663852886e38, dot_.y, entry_1 < 97u);
    let entry_read_2 = min(entry_2, 96u);
    let score_2 = select(-3.4028234663852886e38, dot_.z, entry_2 < 97u);
    let entry_read_3 = min(entry_3, 96u);
    let score_3 = select(-3.4028234663852886e38, dot_.w, entry_3 < 97u);
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
    let factor = exp(before - most);
    let p = exp(score - most);
    let p_1 = exp(score_1 - most);
    let p_2 = exp(score_2 - most);
    let p_3 = exp(score_3 - most);
    sum = sum * factor + (p + p_1 + p_2 + p_3);
    weights[mine * 64u + own] = p;
    weights[mine * 64u + own + 16u] = p_1;
    weights[mine * 64u + own + 32u] = p_2;
    weights[mine * 64u + own + 48u] = p_3;
    if (own == 0u) {
      shrink[mine] = factor;
    }
    workgroupBarrier();
    if (row_part < 16u) {
      if (column_group < 4u) {
        mean_0_0 *= shrink[row_part];
        for (var t = 0u; t < min(64u, 97u - first); t++) {
          let table_at = table[((first + t) * 16u + column_group * 4u) / 4u];
          mean_0_0 += weights[((row_part)) * 64u + t] * table_at;
        }
      }
    }
    workgroupBarrier();
  }
  // One record a row of this slice.
  tops[lane] = sum;
  workgroupBarrier();
  if (own == 0u && row_tile + mine < 7u) {
    partials[((group.x * 7u + row_tile + mine)) * 20u] = most;
    var total = 0.0;
    for (var i = lane; i < lane + 16u; i++) {
      total += tops[i];
    }
    partials[((group.x * 7u + row_tile + mine)) * 20u + 1u] = total;
    partials[((group.x * 7u + row_tile + mine)) * 20u + 2u] = most;
    partials[((group.x * 7u + row_tile + mine)) * 20u + 3u] = bitcast<f32>(best_at);
  }
  let row_out = row_tile + row_part;
  if (row_out < 7u && column_group < 4u && row_part < 16u) {
    partials[((group.x * 7u + row_out)) * 20u + 4u + column_group * 4u] = mean_0_0.x;
    partials[((group.x * 7u + row_out)) * 20u + 4u + column_group * 4u + 1u] = mean_0_0.y;
    partials[((group.x * 7u + row_out)) * 20u + 4u + column_group * 4u + 2u] = mean_0_0.z;
    partials[((group.x * 7u + row_out)) * 20u + 4u + column_group * 4u + 3u] = mean_0_0.w;
  }
}

// dispatch 1 x 1 x 1; partials: scratch, x0_out: result, tokens_out: result
// logits = x [7, 24] by [97], x0 = softmax(logits) E, E [97, 16], tokens = argmax logits.
// Joins the 2 slices of each of 7 rows.

@group(0) @binding(0) var<storage, read> partials: array<f32>; // [280]
@group(0) @binding(1) var<storage, read_write> x0_out: array<f32>; // [1, 7, 16]
@group(0) @binding(2) var<storage, read_write> tokens_out: array<i32>; // [1, 7]

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 256u + lane;
  if (i < 112u) {
    let row = i / 16u;
    let column = i % 16u;
    var most = -3.4028234663852886e38;
    for (var slice = 0u; slice < 2u; slice++) {
      most = max(most, partials[((slice * 7u + row)) * 20u]);
    }
    var total = 0.0;
    var mean = 0.0;
    for (var slice = 0u; slice < 2u; slice++) {
      let factor = exp(partials[((slice * 7u + row)) * 20u] - most);
      total += partials[((slice * 7u + row)) * 20u + 1u] * factor;
      mean += partials[((slice * 7u + row)) * 20u + 4u + column] * factor;
    }
    let matmul = mean / total;
    x0_out[row * 16u + column] = matmul;
    if (column == 0u) {
      var best = partials[((row)) * 20u + 2u];
      var found = bitcast<u32>(partials[((row)) * 20u + 3u]);
      for (var slice = 1u; slice < 2u; slice++) {
        let value = partials[((slice * 7u + row)) * 20u + 2u];
        if (value > best) {
          best = value; found = bitcast<u32>(partials[((slice * 7u + row)) * 20u + 3u]);
        }
      }
      let argmax = i32(found);
      tokens_out[row] = argmax;
    }
  }
}
