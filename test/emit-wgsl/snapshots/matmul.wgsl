// dispatch 1 x 1 x 3; b: operand, a: operand, y: result
// y[z, m, n] = sum_k a[z, m, k] b[z, k, n]: 3 x [31, 13] by [13, 7].
// 4 x 4 results an invocation, no workgroup memory.

@group(0) @binding(0) var<storage, read> b: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let block = group.y * 32u + lane / 2u;
  let m_first = block * 4u;
  let n_first = (group.x * 2u + lane % 2u) * 4u;
  if (m_first < 31u && n_first < 7u) {
    let row = min(m_first, 30u);
    let row_1 = min(m_first + 1u, 30u);
    let row_2 = min(m_first + 2u, 30u);
    let row_3 = min(m_first + 3u, 30u);
    let column = min(n_first, 6u);
    let column_1 = min(n_first + 1u, 6u);
    let column_2 = min(n_first + 2u, 6u);
    let column_3 = min(n_first + 3u, 6u);
    var sum_0 = vec4f();
    var sum_1 = vec4f();
    var sum_2 = vec4f();
    var sum_3 = vec4f();
    for (var k = 0u; k < 13u; k++) {
      let b_at = b[group.z * 91u + k * 7u + column];
      let b_at_1 = b[group.z * 91u + k * 7u + column_1];
      let b_at_2 = b[group.z * 91u + k * 7u + column_2];
      let b_at_3 = b[group.z * 91u + k * 7u + column_3];
      let b_1 = vec4f(b_at, b_at_1, b_at_2, b_at_3);
      let a_at = a[group.z * 403u + row * 13u + k];
      sum_0 += a_at * b_1;
      let a_at_1 = a[group.z * 403u + row_1 * 13u + k];
      sum_1 += a_at_1 * b_1;
      let a_at_2 = a[group.z * 403u + row_2 * 13u + k];
      sum_2 += a_at_2 * b_1;
      let a_at_3 = a[group.z * 403u + row_3 * 13u + k];
      sum_3 += a_at_3 * b_1;
    }
    if (m_first < 31u) {
      if (n_first < 7u) {
        y[group.z * 217u + m_first * 7u + n_first] = sum_0.x;
      }
      let n = n_first + 1u;
      if (n < 7u) {
        y[group.z * 217u + m_first * 7u + n] = sum_0.y;
      }
      let n_1 = n_first + 2u;
      if (n_1 < 7u) {
        y[group.z * 217u + m_first * 7u + n_1] = sum_0.z;
      }
      let n_2 = n_first + 3u;
      if (n_2 < 7u) {
        y[group.z * 217u + m_first * 7u + n_2] = sum_0.w;
      }
    }
    let m = m_first + 1u;
    if (m < 31u) {
      if (n_first < 7u) {
        y[group.z * 217u + m * 7u + n_first] = sum_1.x;
      }
      let n_3 = n_first + 1u;
      if (n_3 < 7u) {
        y[group.z * 217u + m * 7u + n_3] = sum_1.y;
      }
      let n_4 = n_first + 2u;
      if (n_4 < 7u) {
        y[group.z * 217u + m * 7u + n_4] = sum_1.z;
      }
      let n_5 = n_first + 3u;
      if (n_5 < 7u) {
        y[group.z * 217u + m * 7u + n_5] = sum_1.w;
      }
    }
    let m_1 = m_first + 2u;
    if (m_1 < 31u) {
      if (n_first < 7u) {
        y[group.z * 217u + m_1 * 7u + n_first] = sum_2.x;
      }
      let n_6 = n_first + 1u;
      if (n_6 < 7u) {
        y[group.z * 217u + m_1 * 7u + n_6] = sum_2.y;
      }
      let n_7 = n_first + 2u;
      if (n_7 < 7u) {
        y[group.z * 217u + m_1 * 7u + n_7] = sum_2.z;
      }
      let n_8 = n_first + 3u;
      if (n_8 < 7u) {
        y[group.z * 217u + m_1 * 7u + n_8] = sum_2.w;
      }
    }
    let m_2 = m_first + 3u;
    if (m_2 < 31u) {
      if (n_first < 7u) {
        y[group.z * 217u + m_2 * 7u + n_first] = sum_3.x;
      }
      let n_9 = n_first + 1u;
      if (n_9 < 7u) {
        y[group.z * 217u + m_2 * 7u + n_9] = sum_3.y;
      }
      let n_10 = n_first + 2u;
      if (n_10 < 7u) {
        y[group.z * 217u + m_2 * 7u + n_10] = sum_3.z;
      }
      let n_11 = n_first + 3u;
      if (n_11 < 7u) {
        y[group.z * 217u + m_2 * 7u + n_11] = sum_3.w;
      }
    }
  }
}
