// dispatch 1 x 2 x 3; a: operand, b: operand, y: result
// y[z, m, n] = sum_k a[z, m, k] b[z, k, n]: 3 x [31, 13] by [13, 7].

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> a_slab: array<vec4f, 32>;
var<workgroup> b_slab: array<vec4f, 32>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  // This workgroup's tile of y, 16 x 16, and this invocation's 4 x 4 of it.
  let row_tile = group.y * 16u;
  let column_tile = group.x * 16u;
  let tx = lane % 4u;
  let ty = lane / 4u;
  var sum_0 = vec4f();
  var sum_1 = vec4f();
  var sum_2 = vec4f();
  var sum_3 = vec4f();
  for (var k0 = 0u; k0 < 13u; k0 += 8u) {
    for (var s = lane; s < 32u; s += 16u) {
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
      a_slab[q * 16u + (i % 4u) * 4u + i / 4u] = vec4f(select(0.0, a_at, k < 13u), select(0.0, a_at_1, t_1 < 13u), select(0.0, a_at_2, t_3 < 13u), select(0.0, a_at_3, t_5 < 13u));
    }
    for (var s_1 = lane; s_1 < 32u; s_1 += 16u) {
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
      b_slab[q_1 * 16u + (i_1 % 4u) * 4u + i_1 / 4u] = vec4f(select(0.0, b_at, k_1 < 13u), select(0.0, b_at_1, t_8 < 13u), select(0.0, b_at_2, t_10 < 13u), select(0.0, b_at_3, t_12 < 13u));
    }
    workgroupBarrier();
    for (var q_2 = 0u; q_2 < 2u; q_2++) {
      let b_0 = b_slab[q_2 * 16u + tx];
      let b_1 = b_slab[q_2 * 16u + 4u + tx];
      let b_2 = b_slab[q_2 * 16u + 8u + tx];
      let b_3 = b_slab[q_2 * 16u + 12u + tx];
      let a_0 = a_slab[q_2 * 16u + ty];
      sum_0 += vec4f(dot(a_0, b_0), dot(a_0, b_1), dot(a_0, b_2), dot(a_0, b_3));
      let a_1 = a_slab[q_2 * 16u + 4u + ty];
      sum_1 += vec4f(dot(a_1, b_0), dot(a_1, b_1), dot(a_1, b_2), dot(a_1, b_3));
      let a_2 = a_slab[q_2 * 16u + 8u + ty];
      sum_2 += vec4f(dot(a_2, b_0), dot(a_2, b_1), dot(a_2, b_2), dot(a_2, b_3));
      let a_3 = a_slab[q_2 * 16u + 12u + ty];
      sum_3 += vec4f(dot(a_3, b_0), dot(a_3, b_1), dot(a_3, b_2), dot(a_3, b_3));
    }
    workgroupBarrier();
  }
  let n = column_tile + tx * 4u;
  let m = row_tile + ty * 4u;
  if (m < 31u) {
    if (n < 7u) {
      y[group.z * 217u + m * 7u + n] = sum_0.x;
    }
    let n_1 = n + 1u;
    if (n_1 < 7u) {
      y[group.z * 217u + m * 7u + n_1] = sum_0.y;
    }
    let n_2 = n + 2u;
    if (n_2 < 7u) {
      y[group.z * 217u + m * 7u + n_2] = sum_0.z;
    }
    let n_3 = n + 3u;
    if (n_3 < 7u) {
      y[group.z * 217u + m * 7u + n_3] = sum_0.w;
    }
  }
  let m_1 = row_tile + ty * 4u + 1u;
  if (m_1 < 31u) {
    if (n < 7u) {
      y[group.z * 217u + m_1 * 7u + n] = sum_1.x;
    }
    let n_4 = n + 1u;
    if (n_4 < 7u) {
      y[group.z * 217u + m_1 * 7u + n_4] = sum_1.y;
    }
    let n_5 = n + 2u;
    if (n_5 < 7u) {
      y[group.z * 217u + m_1 * 7u + n_5] = sum_1.z;
    }
    let n_6 = n + 3u;
    if (n_6 < 7u) {
      y[group.z * 217u + m_1 * 7u + n_6] = sum_1.w;
    }
  }
  let m_2 = row_tile + ty * 4u + 2u;
  if (m_2 < 31u) {
    if (n < 7u) {
      y[group.z * 217u + m_2 * 7u + n] = sum_2.x;
    }
    let n_7 = n + 1u;
    if (n_7 < 7u) {
      y[group.z * 217u + m_2 * 7u + n_7] = sum_2.y;
    }
    let n_8 = n + 2u;
    if (n_8 < 7u) {
      y[group.z * 217u + m_2 * 7u + n_8] = sum_2.z;
    }
    let n_9 = n + 3u;
    if (n_9 < 7u) {
      y[group.z * 217u + m_2 * 7u + n_9] = sum_2.w;
    }
  }
  let m_3 = row_tile + ty * 4u + 3u;
  if (m_3 < 31u) {
    if (n < 7u) {
      y[group.z * 217u + m_3 * 7u + n] = sum_3.x;
    }
    let n_10 = n + 1u;
    if (n_10 < 7u) {
      y[group.z * 217u + m_3 * 7u + n_10] = sum_3.y;
    }
    let n_11 = n + 2u;
    if (n_11 < 7u) {
      y[group.z * 217u + m_3 * 7u + n_11] = sum_3.z;
    }
    let n_12 = n + 3u;
    if (n_12 < 7u) {
      y[group.z * 217u + m_3 * 7u + n_12] = sum_3.w;
    }
  }
}
