// dispatch 1 x 5 x 1; weight: operand, v: operand, gate: operand, bias: operand, residual: operand, y_out: result
// y = x weight^T + bias: x [66, 24] (leading axes as one), weight [48, 24].
//   with x = v * gate
//   with y = residual + silu(linear)
// 4 x 4 results an invocation, no workgroup memory.

@group(0) @binding(0) var<storage, read> weight: array<vec4f>; // [48, 24]
@group(0) @binding(1) var<storage, read> v: array<vec4f>; // [2, 33, 24]
@group(0) @binding(2) var<storage, read> gate: array<vec4f>; // [2, 33, 24]
@group(0) @binding(3) var<storage, read> bias: array<vec4f>; // [48]
@group(0) @binding(4) var<storage, read> residual: array<vec4f>; // [2, 33, 48]
@group(0) @binding(5) var<storage, read_write> y_out: array<vec4f>; // [2, 33, 48]

fn sigmoid4(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  return select(e, vec4f(1.0), x >= vec4f(0.0)) / (vec4f(1.0) + e);
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let block = group.y * 4u + lane / 16u;
  let m_first = block * 4u;
  let n_first = (group.x * 16u + lane % 16u) * 4u;
  if (m_first < 66u && n_first < 48u) {
    let row_0 = min(m_first, 65u);
    let row_1 = min(m_first + 1u, 65u);
    let row_2 = min(m_first + 2u, 65u);
    let row_3 = min(m_first + 3u, 65u);
    let column_1 = n_first + 1u;
    let column_2 = n_first + 2u;
    let column_3 = n_first + 3u;
    var sum = array<vec4f, 4>();
    for (var k = 0u; k < 24u; k += 4u) {
      let weight_at = weight[(n_first * 24u + k) / 4u];
      let weight_at_1 = weight[(column_1 * 24u + k) / 4u];
      let weight_at_2 = weight[(column_2 * 24u + k) / 4u];
      let weight_at_3 = weight[(column_3 * 24u + k) / 4u];
      let v_at = v[(row_0 * 24u + k) / 4u];
      let gate_at = gate[(row_0 * 24u + k) / 4u];
      let mul = v_at * gate_at;
      sum[0] += vec4f(dot(mul, weight_at), dot(mul, weight_at_1), dot(mul, weight_at_2), dot(mul, weight_at_3));
      let v_at_1 = v[(row_1 * 24u + k) / 4u];
      let gate_at_1 = gate[(row_1 * 24u + k) / 4u];
      let mul_1 = v_at_1 * gate_at_1;
      sum[1] += vec4f(dot(mul_1, weight_at), dot(mul_1, weight_at_1), dot(mul_1, weight_at_2), dot(mul_1, weight_at_3));
      let v_at_2 = v[(row_2 * 24u + k) / 4u];
      let gate_at_2 = gate[(row_2 * 24u + k) / 4u];
      let mul_2 = v_at_2 * gate_at_2;
      sum[2] += vec4f(dot(mul_2, weight_at), dot(mul_2, weight_at_1), dot(mul_2, weight_at_2), dot(mul_2, weight_at_3));
      let v_at_3 = v[(row_3 * 24u + k) / 4u];
      let gate_at_3 = gate[(row_3 * 24u + k) / 4u];
      let mul_3 = v_at_3 * gate_at_3;
      sum[3] += vec4f(dot(mul_3, weight_at), dot(mul_3, weight_at_1), dot(mul_3, weight_at_2), dot(mul_3, weight_at_3));
    }
    for (var i = 0u; i < 4u; i++) {
      let m = m_first + i;
      if (m < 66u) {
        let bias_at = bias[n_first / 4u];
        let linear = sum[i] + bias_at;
        let residual_at = residual[(m * 48u + n_first) / 4u];
        let silu = linear * sigmoid4(linear);
        let add = residual_at + silu;
        y_out[(m * 48u + n_first) / 4u] = add;
      }
    }
  }
}
