// dispatch 4 x 1 x 1; q_1: operand, k: operand, v: operand, y_out: result
// softmax(0.35 q k^T) v for 2 heads of 8 channels, 33 queries, 33 keys of which query i sees 0 .. i.
// 32 queries a workgroup, 1 invocation each; tiles of 32 keys.

@group(0) @binding(0) var<storage, read> q_1: array<f32>; // [1, 33, 16]
@group(0) @binding(1) var<storage, read> k: array<f32>; // [1, 33, 8]
@group(0) @binding(2) var<storage, read> v: array<f32>; // [1, 33, 8]
@group(0) @binding(3) var<storage, read_write> y_out: array<f32>; // [1, 33, 16]

var<workgroup> key_tile: array<f32, 256>;
var<workgroup> value_tile: array<f32, 256>;

@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let block = group.x % 2u;
  let row = group.x / 2u;
  let head = row % 2u;
  let kv_head = head / 2u;
  let query = block * 32u + lane;
  let query_read = min(query, 32u);
  var q: array<f32, 8>;
  let q_at = q_1[query_read * 16u + head * 8u];
  q[0] = 0.35 * q_at;
  let q_at_1 = q_1[query_read * 16u + head * 8u + 1u];
  q[1] = 0.35 * q_at_1;
  let q_at_2 = q_1[query_read * 16u + head * 8u + 2u];
  q[2] = 0.35 * q_at_2;
  let q_at_3 = q_1[query_read * 16u + head * 8u + 3u];
  q[3] = 0.35 * q_at_3;
  let q_at_4 = q_1[query_read * 16u + head * 8u + 4u];
  q[4] = 0.35 * q_at_4;
  let q_at_5 = q_1[query_read * 16u + head * 8u + 5u];
  q[5] = 0.35 * q_at_5;
  let q_at_6 = q_1[query_read * 16u + head * 8u + 6u];
  q[6] = 0.35 * q_at_6;
  let q_at_7 = q_1[query_read * 16u + head * 8u + 7u];
  q[7] = 0.35 * q_at_7;
  var mean: array<f32, 8>;
  var most = -3.4e38;
  var total = 0.0;
  let end = min(33u, (block + 1u) * 32u);
  for (var from_ = 0u; from_ < end; from_ += 32u) {
    workgroupBarrier();
    for (var e = lane; e < 256u; e += 32u) {
      let key = from_ + e / 8u;
      let key_read = min(key, 32u);
      let k_at = k[key_read * 8u + kv_head * 8u + e % 8u];
      key_tile[e] = k_at;
      let v_at = v[key_read * 8u + kv_head * 8u + e % 8u];
      value_tile[e] = v_at;
    }
    workgroupBarrier();
    for (var j = 0u; j < 32u; j++) {
      let base = j * 8u;
      var score = 0.0;
      score += q[0] * key_tile[base];
      score += q[1] * key_tile[base + 1u];
      score += q[2] * key_tile[base + 2u];
      score += q[3] * key_tile[base + 3u];
      score += q[4] * key_tile[base + 4u];
      score += q[5] * key_tile[base + 5u];
      score += q[6] * key_tile[base + 6u];
      score += q[7] * key_tile[base + 7u];
      if (from_ + j < 33u && from_ + j <= query) {
        let next = max(most, score);
        let kept = exp(most - next);
        let weight = exp(score - next);
        most = next;
        total = total * kept + weight;
        mean[0] = mean[0] * kept + weight * value_tile[base];
        mean[1] = mean[1] * kept + weight * value_tile[base + 1u];
        mean[2] = mean[2] * kept + weight * value_tile[base + 2u];
        mean[3] = mean[3] * kept + weight * value_tile[base + 3u];
        mean[4] = mean[4] * kept + weight * value_tile[base + 4u];
        mean[5] = mean[5] * kept + weight * value_tile[base + 5u];
        mean[6] = mean[6] * kept + weight * value_tile[base + 6u];
        mean[7] = mean[7] * kept + weight * value_tile[base + 7u];
      }
    }
  }
  if (query < 33u) {
    let attention = mean[0] / total;
    y_out[query * 16u + head * 8u] = attention;
    let attention_1 = mean[1] / total;
    y_out[query * 16u + head * 8u + 1u] = attention_1;
    let attention_2 = mean[2] / total;
    y_out[query * 16u + head * 8u + 2u] = attention_2;
    let attention_3 = mean[3] / total;
    y_out[query * 16u + head * 8u + 3u] = attention_3;
    let attention_4 = mean[4] / total;
    y_out[query * 16u + head * 8u + 4u] = attention_4;
    let attention_5 = mean[5] / total;
    y_out[query * 16u + head * 8u + 5u] = attention_5;
    let attention_6 = mean[6] / total;
    y_out[query * 16u + head * 8u + 6u] = attention_6;
    let attention_7 = mean[7] / total;
    y_out[query * 16u + head * 8u + 7u] = attention_7;
  }
}
