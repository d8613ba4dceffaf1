// dispatch 1 x 1 x 1; taps: operand, x: operand, bias: operand, y_out: result
// y[t, c] = sum over 3 taps j of k[j, filter of c] x[t - j, c] over 97 samples of 24 channels.
//   with y = long_conv + bias

@group(0) @binding(0) var<storage, read> taps: array<vec4f>; // [3, 24]
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [1, 97, 24]
@group(0) @binding(2) var<storage, read> bias: array<vec4f>; // [24]
@group(0) @binding(3) var<storage, read_write> y_out: array<vec4f>; // [1, 97, 24]

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 256u + lane;
  if (i < 150u) {
    let r = i / 6u;
    let column = i % 6u;
    let c = column * 4u;
    let first = r * 4u;
    var y0 = vec4f(0.0);
    var y1 = vec4f(0.0);
    var y2 = vec4f(0.0);
    var y3 = vec4f(0.0);
    let taps_at = taps[c / 4u];
    let taps_at_1 = taps[(24u + c) / 4u];
    let taps_at_2 = taps[(48u + c) / 4u];
    let s = first - 2u;
    var x_s = vec4f(0.0);
    if (s < 97u) {
      let x_at = x[(s * 24u + c) / 4u];
      x_s = x_at;
    }
    y0 += taps_at_2 * x_s;
    let s_1 = first - 1u;
    var x_s_1 = vec4f(0.0);
    if (s_1 < 97u) {
      let x_at = x[(s_1 * 24u + c) / 4u];
      x_s_1 = x_at;
    }
    y0 += taps_at_1 * x_s_1;
    y1 += taps_at_2 * x_s_1;
    var x_s_2 = vec4f(0.0);
    if (first < 97u) {
      let x_at = x[(first * 24u + c) / 4u];
      x_s_2 = x_at;
    }
    y0 += taps_at * x_s_2;
    y1 += taps_at_1 * x_s_2;
    y2 += taps_at_2 * x_s_2;
    let s_2 = first + 1u;
    var x_s_3 = vec4f(0.0);
    if (s_2 < 97u) {
      let x_at = x[(s_2 * 24u + c) / 4u];
      x_s_3 = x_at;
    }
    y1 += taps_at * x_s_3;
    y2 += taps_at_1 * x_s_3;
    y3 += taps_at_2 * x_s_3;
    let s_3 = first + 2u;
    var x_s_4 = vec4f(0.0);
    if (s_3 < 97u) {
      let x_at = x[(s_3 * 24u + c) / 4u];
      x_s_4 = x_at;
    }
    y2 += taps_at * x_s_4;
    y3 += taps_at_1 * x_s_4;
    let s_4 = first + 3u;
    var x_s_5 = vec4f(0.0);
    if (s_4 < 97u) {
      let x_at = x[(s_4 * 24u + c) / 4u];
      x_s_5 = x_at;
    }
    y3 += taps_at * x_s_5;
    if (first < 97u) {
      let bias_at = bias[c / 4u];
      let add = y0 + bias_at;
      y_out[(first * 24u + c) / 4u] = add;
    }
    if (first + 1u < 97u) {
      let bias_at = bias[c / 4u];
      let add = y1 + bias_at;
      y_out[((first + 1u) * 24u + c) / 4u] = add;
    }
    if (first + 2u < 97u) {
      let bias_at = bias[c / 4u];
      let add = y2 + bias_at;
      y_out[((first + 2u) * 24u + c) / 4u] = add;
    }
    if (first + 3u < 97u) {
      let bias_at = bias[c / 4u];
      let add = y3 + bias_at;
      y_out[((first + 3u) * 24u + c) / 4u] = add;
    }
  }
}
