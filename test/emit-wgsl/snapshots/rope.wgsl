// dispatch 1 x 1 x 1; rope_7x4_base_10000_skip_0: table, x: operand, y_out: result
// y = rope(x, heads 3, rotary 8, base 10000, skip 0, turning 0)
// over [1, 7, 24], four elements an invocation.

@group(0) @binding(0) var<storage, read> rope_7x4_base_10000_skip_0: array<vec2f>; // [28]
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [1, 7, 24]
@group(0) @binding(2) var<storage, read_write> y_out: array<vec4f>; // [1, 7, 24]

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 64u + lane;
  if (i < 42u) {
    let channel = (i * 4u) % 24u;
    let in_head = channel % 8u;
    let is_first = in_head < 4u;
    let pair = min(select(in_head - 4u, in_head, is_first), 3u);
    let other = select(channel - 4u, channel + 4u, is_first);
    let turn = rope_7x4_base_10000_skip_0[(i * 4u) / 24u * 4u + pair];
    let x_at = x[(((i * 4u) / 24u) * 24u + channel) / 4u][(((i * 4u) / 24u) * 24u + channel) % 4u];
    let x_at_1 = x[(((i * 4u) / 24u) * 24u + other) / 4u][(((i * 4u) / 24u) * 24u + other) % 4u];
    let rope = x_at * turn.x + select(x_at_1, -x_at_1, is_first) * turn.y;
    let channel_1 = (i * 4u) % 24u + 1u;
    let in_head_1 = channel_1 % 8u;
    let is_first_1 = in_head_1 < 4u;
    let pair_1 = min(select(in_head_1 - 4u, in_head_1, is_first_1), 3u);
    let other_1 = select(channel_1 - 4u, channel_1 + 4u, is_first_1);
    let turn_1 = rope_7x4_base_10000_skip_0[(i * 4u) / 24u * 4u + pair_1];
    let x_at_2 = x[(((i * 4u) / 24u) * 24u + channel_1) / 4u][(((i * 4u) / 24u) * 24u + channel_1) % 4u];
    let x_at_3 = x[(((i * 4u) / 24u) * 24u + other_1) / 4u][(((i * 4u) / 24u) * 24u + other_1) % 4u];
    let rope_1 = x_at_2 * turn_1.x + select(x_at_3, -x_at_3, is_first_1) * turn_1.y;
    let channel_2 = (i * 4u) % 24u + 2u;
    let in_head_2 = channel_2 % 8u;
    let is_first_2 = in_head_2 < 4u;
    let pair_2 = min(select(in_head_2 - 4u, in_head_2, is_first_2), 3u);
    let other_2 = select(channel_2 - 4u, channel_2 + 4u, is_first_2);
    let turn_2 = rope_7x4_base_10000_skip_0[(i * 4u) / 24u * 4u + pair_2];
    let x_at_4 = x[(((i * 4u) / 24u) * 24u + channel_2) / 4u][(((i * 4u) / 24u) * 24u + channel_2) % 4u];
    let x_at_5 = x[(((i * 4u) / 24u) * 24u + other_2) / 4u][(((i * 4u) / 24u) * 24u + other_2) % 4u];
    let rope_2 = x_at_4 * turn_2.x + select(x_at_5, -x_at_5, is_first_2) * turn_2.y;
    let channel_3 = (i * 4u) % 24u + 3u;
    let in_head_3 = channel_3 % 8u;
    let is_first_3 = in_head_3 < 4u;
    let pair_3 = min(select(in_head_3 - 4u, in_head_3, is_first_3), 3u);
    let other_3 = select(channel_3 - 4u, channel_3 + 4u, is_first_3);
    let turn_3 = rope_7x4_base_10000_skip_0[(i * 4u) / 24u * 4u + pair_3];
    let x_at_6 = x[(((i * 4u) / 24u) * 24u + channel_3) / 4u][(((i * 4u) / 24u) * 24u + channel_3) % 4u];
    let x_at_7 = x[(((i * 4u) / 24u) * 24u + other_3) / 4u][(((i * 4u) / 24u) * 24u + other_3) % 4u];
    let rope_3 = x_at_6 * turn_3.x + select(x_at_7, -x_at_7, is_first_3) * turn_3.y;
    let rope_4 = vec4f(rope, rope_1, rope_2, rope_3);
    y_out[i] = rope_4;
  }
}
