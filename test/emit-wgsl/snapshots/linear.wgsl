// dispatch 1 x 5 x 1; weight: operand, v: operand, gate: operand, bias: operand, residual: operand, y: result
// y = x weight^T + bias: x [66, 24] (leading axes as one), weight [48, 24].
//   with mul: y = a b; operands broadcast
//   with silu: y = x/(1+exp(-x))
//   with add: y = a + b; operands broadcast
// 4 x 4 results an invocation, no workgroup memory.

@group(0) @binding(0) var<storage, read> weight: array<vec4f>;
@group(0) @binding(1) var<storage, read> v: array<vec4f>;
@group(0) @binding(2) var<storage, read> gate: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4f>;

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
    let row = min(m_first, 65u);
    let row_1 = min(m_first + 1u, 65u);
    let row_2 = min(m_first + 2u, 65u);
    let row_3 = min(m_first + 3u, 65u);
    let column = n_first + 1u;
    let column_1 = n_first + 2u;
    let column_2 = n_first + 3u;
    var sum_0 = vec4f();
    var sum_1 = vec4f();
    var sum_2 = vec4f();
    var sum_3 = vec4f();
    for (var k = 0u; k < 24u; k += 4u) {
      let weight_at = weight[(n_first * 24u + k) / 4u];
      let weight_at_1 = weight[(column * 24u + k) / 4u];
      let weight_at_2 = weight[(column_1 * 24u + k) / 4u];
      let weight_at_3 = weight[(column_2 * 24u + k) / 4u];
      let v_at = v[(row * 24u + k) / 4u];
      let gate_at = gate[(row * 24u + k) / 4u];
      let mul = v_at * gate_at;
      sum_0 += vec4f(dot(mul, weight_at), dot(mul, weight_at_1), dot(mul, weight_at_2), dot(mul, weight_at_3));
      let v_at_1 = v[(row_1 * 24u + k) / 4u];
      let gate_at_1 = gate[(row_1 * 24u + k) / 4u];
      let mul_1 = v_at_1 * gate_at_1;
      sum_1 += vec4f(dot(mul_1, weight_at), dot(mul_1, weight_at_1), dot(mul_1, weight_at_2), dot(mul_1, weight_at_3));
      let v_at_2 = v[(row_2 * 24u + k) / 4u];
      let gate_at_2 = gate[(row_2 * 24u + k) / 4u];
      let mul_2 = v_at_2 * gate_at_2;
      sum_2 += vec4f(dot(mul_2, weight_at), dot(mul_2, weight_at_1), dot(mul_2, weight_at_2), dot(mul_2, weight_at_3));
      let v_at_3 = v[(row_3 * 24u + k) / 4u];
      let gate_at_3 = gate[(row_3 * 24u + k) / 4u];
      let mul_3 = v_at_3 * gate_at_3;
      sum_3 += vec4f(dot(mul_3, weight_at), dot(mul_3, weight_at_1), dot(mul_3, weight_at_2), dot(mul_3, weight_at_3));
    }
    if (m_first < 66u) {
      let bias_at = bias[n_first / 4u];
      let linear = sum_0 + bias_at;
      let residual_at = residual[(m_first * 48u + n_first) / 4u];
      let silu = linear * sigmoid4(linear);
      let add = residual_at + silu;
      y[(m_first * 48u + n_first) / 4u] = add;
    }
    let m = m_first + 1u;
    if (m < 66u) {
      let bias_at_1 = bias[n_first / 4u];
      let linear_1 = sum_1 + bias_at_1;
      let residual_at_1 = residual[(m * 48u + n_first) / 4u];
      let silu_1 = linear_1 * sigmoid4(linear_1);
      let add_1 = residual_at_1 + silu_1;
      y[(m * 48u + n_first) / 4u] = add_1;
    }
    let m_1 = m_first + 2u;
    if (m_1 < 66u) {
      let bias_at_2 = bias[n_first / 4u];
      let linear_2 = sum_2 + bias_at_2;
      let residual_at_2 = residual[(m_1 * 48u + n_first) / 4u];
      let silu_2 = linear_2 * sigmoid4(linear_2);
      let add_2 = residual_at_2 + silu_2;
      y[(m_1 * 48u + n_first) / 4u] = add_2;
    }
    let m_2 = m_first + 3u;
    if (m_2 < 66u) {
      let bias_at_3 = bias[n_first / 4u];
      let linear_3 = sum_3 + bias_at_3;
      let residual_at_3 = residual[(m_2 * 48u + n_first) / 4u];
      let silu_3 = linear_3 * sigmoid4(linear_3);
      let add_3 = residual_at_3 + silu_3;
      y[(m_2 * 48u + n_first) / 4u] = add_3;
    }
  }
}
