// dispatch 1 x 1 x 3; b: operand, a: operand, y_out: result
// y[z, m, n] = sum_k a[z, m, k] b[z, k, n]: 3 x [31, 13] by [13, 7].
// 4 x 4 results an invocation, no workgroup memory.

@group(0) @binding(0) var<storage, read> b: array<f32>; // [3, 13, 7]
@group(0) @binding(1) var<storage, read> a: array<f32>; // [3, 31, 13]
@group(0) @binding(2) var<storage, read_write> y_out: array<f32>; // [3, 31, 7]

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let block = group.y * 32u + lane / 2u;
  let m_first = block * 4u;
  let n_first = (group.x * 2u + lane % 2u) * 4u;
  if (m_first < 31u && n_first < 7u) {
    let row_0 = min(m_first, 30u);
    let row_1 = min(m_first + 1u, 30u);
    let row_2 = min(m_first + 2u, 30u);
    let row_3 = min(m_first + 3u, 30u);
    let column_0 = min(n_first, 6u);
    let column_1 = min(n_first + 1u, 6u);
    let column_2 = min(n_first + 2u, 6u);
    let column_3 = min(n_first + 3u, 6u);
    var sum = array<vec4f, 4>();
    for (var k = 0u; k < 13u; k++) {
      let b_at = b[group.z * 91u + k * 7u + column_0];
      let b_at_1 = b[group.z * 91u + k * 7u + column_1];
      let b_at_2 = b[group.z * 91u + k * 7u + column_2];
      let b_at_3 = b[group.z * 91u + k * 7u + column_3];
      let b_1 = vec4f(b_at, b_at_1, b_at_2, b_at_3);
      let a_at = a[group.z * 403u + row_0 * 13u + k];
      sum[0] += a_at * b_1;
      let a_at_1 = a[group.z * 403u + row_1 * 13u + k];
      sum[1] += a_at_1 * b_1;
      let a_at_2 = a[group.z * 403u + row_2 * 13u + k];
      sum[2] += a_at_2 * b_1;
      let a_at_3 = a[group.z * 403u + row_3 * 13u + k];
      sum[3] += a_at_3 * b_1;
    }
    for (var i = 0u; i < 4u; i++) {
      let m = m_first + i;
      if (m < 31u) {
        for (var j = 0u; j < 4u; j++) {
          let n = n_first + j;
          if (n < 7u) {
            let matmul = sum[i][j];
            y_out[group.z * 217u + m * 7u + n] = matmul;
          }
        }
      }
    }
  }
}
