// dispatch 1 x 8 x 3; a: operand, b: operand, y: result
// y[z, m, n] = sum_k a[z, m, k] b[z, k, n]: 3 x [31, 13] by [13, 7].

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> a_slab: array<vec4f, 8>;
var<workgroup> b_slab: array<vec4f, 64>;

@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  // This workgroup's tile of y, 4 x 32; an invocation has 1 of its columns.
  let row_tile = group.y * 4u;
  let column_tile = group.x * 32u;
  var sum_0 = 0.0;
  var sum_1 = 0.0;
  var sum_2 = 0.0;
  var sum_3 = 0.0;
  for (var k0 = 0u; k0 < 13u; k0 += 8u) {
    for (var s = lane; s < 8u; s += 32u) {
      let i = s / 2u;
      let q = s % 2u;
      let k = k0 + q * 4u;
      let row = min(row_tile + i, 30u);
      let t = min(k, 12u);
      let a_at = a[group.z * 403u + row * 13u + t];
      let t_1 = k + 1u;
      let t_2 = min(t_1, 12u);
      let a_at_1 = a[group.z * 403u + row * 13u + t_2];
      let t_3 = k + 2u;
      let t_4 = min(t_3, 12u);
      let a_at_2 = a[group.z * 403u + row * 13u + t_4];
      let t_5 = k + 3u;
      let t_6 = min(t_5, 12u);
      let a_at_3 = a[group.z * 403u + row * 13u + t_6];
      a_slab[q * 4u + i] = vec4f(select(0.0, a_at, k < 13u), select(0.0, a_at_1, t_1 < 13u), select(0.0, a_at_2, t_3 < 13u), select(0.0, a_at_3, t_5 < 13u));
    }
    for (var s_1 = lane; s_1 < 64u; s_1 += 32u) {
      let i_1 = s_1 / 2u;
      let q_1 = s_1 % 2u;
      let k_1 = k0 + q_1 * 4u;
      let column = min(column_tile + i_1, 6u);
      let t_7 = min(k_1, 12u);
      let b_at = b[group.z * 91u + t_7 * 7u + column];
      let t_8 = k_1 + 1u;
      let t_9 = min(t_8, 12u);
      let b_at_1 = b[group.z * 91u + t_9 * 7u + column];
      let t_10 = k_1 + 2u;
      let t_11 = min(t_10, 12u);
      let b_at_2 = b[group.z * 91u + t_11 * 7u + column];
      let t_12 = k_1 + 3u;
      let t_13 = min(t_12, 12u);
      let b_at_3 = b[group.z * 91u + t_13 * 7u + column];
      b_slab[q_1 * 32u + i_1] = vec4f(select(0.0, b_at, k_1 < 13u), select(0.0, b_at_1, t_8 < 13u), select(0.0, b_at_2, t_10 < 13u), select(0.0, b_at_3, t_12 < 13u));
    }
    workgroupBarrier();
    for (var q_2 = 0u; q_2 < 2u; q_2++) {
      let b_0 = b_slab[q_2 * 32u + lane];
      let a_0 = a_slab[q_2 * 4u];
      sum_0 += dot(a_0, b_0);
      let a_1 = a_slab[q_2 * 4u + 1u];
      sum_1 += dot(a_1, b_0);
      let a_2 = a_slab[q_2 * 4u + 2u];
      sum_2 += dot(a_2, b_0);
      let a_3 = a_slab[q_2 * 4u + 3u];
      sum_3 += dot(a_3, b_0);
    }
    workgroupBarrier();
  }
  let n = column_tile + lane;
  if (n < 7u) {
    if (row_tile < 31u) {
      y[group.z * 217u + row_tile * 7u + n] = sum_0;
    }
    let m = row_tile + 1u;
    if (m < 31u) {
      y[group.z * 217u + m * 7u + n] = sum_1;
    }
    let m_1 = row_tile + 2u;
    if (m_1 < 31u) {
      y[group.z * 217u + m_1 * 7u + n] = sum_2;
    }
    let m_2 = row_tile + 3u;
    if (m_2 < 31u) {
      y[group.z * 217u + m_2 * 7u + n] = sum_3;
    }
  }
}
