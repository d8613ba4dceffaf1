// dispatch 1 x 1 x 1; tokens: operand, table: operand, x_out: result
// x = take(table, tokens)
// over [2, 7, 24], four elements an invocation.

@group(0) @binding(0) var<storage, read> tokens: array<i32>; // [2, 7]
@group(0) @binding(1) var<storage, read> table: array<vec4f>; // [13, 24]
@group(0) @binding(2) var<storage, read_write> x_out: array<vec4f>; // [2, 7, 24]

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 256u + lane;
  if (i < 84u) {
    let tokens_at = tokens[((i * 4u) / 168u) * 7u + ((i * 4u) / 24u) % 7u];
    let row = u32(clamp(tokens_at, 0i, 12i));
    let table_at = table[(row * 24u + (i * 4u) % 24u) / 4u];
    x_out[i] = table_at;
  }
}
