// dispatch 2 x 17 x 1; v: operand, gate: operand, weight: operand, bias: operand, residual: operand, y: result
// y = x weight^T + bias: x [66, 24] (leading axes as one), weight [48, 24].
//   with mul: y = a b; operands broadcast
//   with silu: y = x/(1+exp(-x))
//   with add: y = a + b; operands broadcast

@group(0) @binding(0) var<storage, read> v: array<vec4f>;
@group(0) @binding(1) var<storage, read> gate: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

var<workgroup> a_slab: array<vec4f, 8>;
var<workgroup> b_slab: array<vec4f, 64>;

fn sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  // This workgroup's tile of y, 4 x 32; an invocation has 1 of its columns.
  let row_tile = group.y * 4u;
  let column_tile = group.x * 32u;
  var sum_0 = 0.0;
  var sum_1 = 0.0;
  var sum_2 = 0.0;
  var sum_3 = 0.0;
  for (var k0 = 0u; k0 < 24u; k0 += 8u) {
    for (var s = lane; s < 8u; s += 32u) {
      let i = s / 2u;
      let q = s % 2u;
      let k = k0 + q * 4u;
      let row = min(row_tile + i, 65u);
      let v_at = v[(row * 24u + k) / 4u];
      let gate_at = gate[(row * 24u + k) / 4u];
      let mul = v_at * gate_at;
      a_slab[q * 4u + i] = mul;
    }
    for (var s_1 = lane; s_1 < 64u; s_1 += 32u) {
      let i_1 = s_1 / 2u;
      let q_1 = s_1 % 2u;
      let k_1 = k0 + q_1 * 4u;
      let column = min(column_tile + i_1, 47u);
      let weight_at = weight[(column * 24u + k_1) / 4u];
      b_slab[q_1 * 32u + i_1] = weight_at;
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
  if (n < 48u) {
    if (row_tile < 66u) {
      let bias_at = bias[(n) / 4u][(n) % 4u];
      let linear = sum_0 + bias_at;
      let residual_at = residual[(row_tile * 48u + n) / 4u][(row_tile * 48u + n) % 4u];
      let silu = linear * sigmoid(linear);
      let add = residual_at + silu;
      y[row_tile * 48u + n] = add;
    }
    let m = row_tile + 1u;
    if (m < 66u) {
      let bias_at_1 = bias[(n) / 4u][(n) % 4u];
      let linear_1 = sum_1 + bias_at_1;
      let residual_at_1 = residual[(m * 48u + n) / 4u][(m * 48u + n) % 4u];
      let silu_1 = linear_1 * sigmoid(linear_1);
      let add_1 = residual_at_1 + silu_1;
      y[m * 48u + n] = add_1;
    }
    let m_1 = row_tile + 2u;
    if (m_1 < 66u) {
      let bias_at_2 = bias[(n) / 4u][(n) % 4u];
      let linear_2 = sum_2 + bias_at_2;
      let residual_at_2 = residual[(m_1 * 48u + n) / 4u][(m_1 * 48u + n) % 4u];
      let silu_2 = linear_2 * sigmoid(linear_2);
      let add_2 = residual_at_2 + silu_2;
      y[m_1 * 48u + n] = add_2;
    }
    let m_2 = row_tile + 3u;
    if (m_2 < 66u) {
      let bias_at_3 = bias[(n) / 4u][(n) % 4u];
      let linear_3 = sum_3 + bias_at_3;
      let residual_at_3 = residual[(m_2 * 48u + n) / 4u][(m_2 * 48u + n) % 4u];
      let silu_3 = linear_3 * sigmoid(linear_3);
      let add_3 = residual_at_3 + silu_3;
      y[m_2 * 48u + n] = add_3;
    }
  }
}
