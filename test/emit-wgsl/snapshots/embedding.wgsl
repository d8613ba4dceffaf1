// dispatch 1 x 1 x 1; tokens: operand, table: operand, x: result
// take over [2, 7, 24], four elements an invocation.
//   take: y[i.., j..] = table[indices[i..], j..]: rows of table by index (embedding lookup)

@group(0) @binding(0) var<storage, read> tokens: array<i32>;
@group(0) @binding(1) var<storage, read> table: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 256u + lane;
  if (i < 84u) {
    let tokens_at = tokens[((i * 4u) / 168u) * 7u + ((i * 4u) / 24u) % 7u];
    let row = u32(clamp(tokens_at, 0i, 12i));
    let table_at = table[(row * 24u + (i * 4u) % 24u) / 4u][(row * 24u + (i * 4u) % 24u) % 4u];
    let table_at_1 = table[(row * 24u + (i * 4u) % 24u + 1u) / 4u][(row * 24u + (i * 4u) % 24u + 1u) % 4u];
    let table_at_2 = table[(row * 24u + (i * 4u) % 24u + 2u) / 4u][(row * 24u + (i * 4u) % 24u + 2u) % 4u];
    let table_at_3 = table[(row * 24u + (i * 4u) % 24u + 3u) / 4u][(row * 24u + (i * 4u) % 24u + 3u) % 4u];
    let take = vec4f(table_at, table_at_1, table_at_2, table_at_3);
    x[i] = take;
  }
}
