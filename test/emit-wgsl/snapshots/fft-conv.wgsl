// dispatch 1 x 1 x 1; twiddles_9x9: table, streams: operand, spectrum: operand, y_out: result
// Convolution of 8 channels of 81 samples over 81 = 9 x 9 points at a right angle:
// y[t] = Re 1/M sum_k X_k H_k exp(i a_k t), X_k = sum_t x[t] exp(-i a_k t), a_k = 2 pi (1 + 4k) / 4M.
//   with x = streams[.., 0:8] * streams[.., 8:16]
//   with y = fft_conv * streams[.., 16:24]
// 8 channels a workgroup, 9 invocations each; numbers stay in workgroup memory between stages.

@group(0) @binding(0) var<storage, read> twiddles_9x9: array<vec2f>; // [72]
@group(0) @binding(1) var<storage, read> streams: array<f32>; // [1, 81, 24]
@group(0) @binding(2) var<storage, read> spectrum: array<f32>; // [8, 2, 9, 9]
@group(0) @binding(3) var<storage, read_write> y_out: array<f32>; // [1, 81, 8]

var<workgroup> line: array<vec2f, 648>;

// v[k] = sum over n of v[n] exp(-2 pi i n k / 9).
fn dft9(v: ptr<function, array<vec2f, 9>>) {
  let t0 = (*v)[0];
  let t1 = (*v)[1];
  let t2 = (*v)[2];
  let t3 = (*v)[3];
  let t4 = (*v)[4];
  let t5 = (*v)[5];
  let t6 = (*v)[6];
  let t7 = (*v)[7];
  let t8 = (*v)[8];
  let t9 = t3 + t6;
  let t10 = t3 - t6;
  let t11 = t0 + t9;
  let t12 = t0 + -0.5 * t9;
  let t13 = 0.8660254 * t10;
  let t14 = vec2f(t12.x + t13.y, t12.y - t13.x);
  let t15 = vec2f(t12.x - t13.y, t12.y + t13.x);
  let t16 = t4 + t7;
  let t17 = t4 - t7;
  let t18 = t1 + t16;
  let t19 = t1 + -0.5 * t16;
  let t20 = 0.8660254 * t17;
  let t21 = vec2f(t19.x + t20.y, t19.y - t20.x);
  let t22 = vec2f(t19.x - t20.y, t19.y + t20.x);
  let t23 = vec2f(0.76604444 * t21.x + 0.64278764 * t21.y, 0.76604444 * t21.y - 0.64278764 * t21.x);
  let t24 = vec2f(0.17364818 * t22.x + 0.9848077 * t22.y, 0.17364818 * t22.y - 0.9848077 * t22.x);
  let t25 = t5 + t8;
  let t26 = t5 - t8;
  let t27 = t2 + t25;
  let t28 = t2 + -0.5 * t25;
  let t29 = 0.8660254 * t26;
  let t30 = vec2f(t28.x + t29.y, t28.y - t29.x);
  let t31 = vec2f(t28.x - t29.y, t28.y + t29.x);
  let t32 = vec2f(0.17364818 * t30.x + 0.9848077 * t30.y, 0.17364818 * t30.y - 0.9848077 * t30.x);
  let t33 = vec2f(-0.9396926 * t31.x + 0.34202015 * t31.y, -0.9396926 * t31.y - 0.34202015 * t31.x);
  let t34 = t18 + t27;
  let t35 = t18 - t27;
  let t36 = t11 + t34;
  let t37 = t11 + -0.5 * t34;
  let t38 = 0.8660254 * t35;
  let t39 = vec2f(t37.x + t38.y, t37.y - t38.x);
  let t40 = vec2f(t37.x - t38.y, t37.y + t38.x);
  let t41 = t23 + t32;
  let t42 = t23 - t32;
  let t43 = t14 + t41;
  let t44 = t14 + -0.5 * t41;
  let t45 = 0.8660254 * t42;
  let t46 = vec2f(t44.x + t45.y, t44.y - t45.x);
  let t47 = vec2f(t44.x - t45.y, t44.y + t45.x);
  let t48 = t24 + t33;
  let t49 = t24 - t33;
  let t50 = t15 + t48;
  let t51 = t15 + -0.5 * t48;
  let t52 = 0.8660254 * t49;
  let t53 = vec2f(t51.x + t52.y, t51.y - t52.x);
  let t54 = vec2f(t51.x - t52.y, t51.y + t52.x);
  (*v)[0] = t36;
  (*v)[1] = t43;
  (*v)[2] = t50;
  (*v)[3] = t39;
  (*v)[4] = t46;
  (*v)[5] = t53;
  (*v)[6] = t40;
  (*v)[7] = t47;
  (*v)[8] = t54;
}

fn complex_product(a: vec2f, b: vec2f) -> vec2f {
  return vec2f(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

@compute @workgroup_size(72)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let channel = lane % 8u;
  let thread = lane / 8u;
  // Stage 1 of 2, forward: radix 9, 9 butterflies.
  var v: array<vec2f, 9>;
  let slot = thread * 8u + channel;
  let streams_at = streams[thread * 24u + channel];
  let streams_at_1 = streams[thread * 24u + channel + 8u];
  let gated = streams_at * streams_at_1;
  v[0] = vec2f(gated, 0.0);
  let streams_at_2 = streams[(thread + 9u) * 24u + channel];
  let streams_at_3 = streams[(thread + 9u) * 24u + channel + 8u];
  let gated_1 = streams_at_2 * streams_at_3;
  v[1] = gated_1 * vec2f(0.9848077, -0.17364818);
  let streams_at_4 = streams[(thread + 18u) * 24u + channel];
  let streams_at_5 = streams[(thread + 18u) * 24u + channel + 8u];
  let gated_2 = streams_at_4 * streams_at_5;
  v[2] = gated_2 * vec2f(0.9396926, -0.34202015);
  let streams_at_6 = streams[(thread + 27u) * 24u + channel];
  let streams_at_7 = streams[(thread + 27u) * 24u + channel + 8u];
  let gated_3 = streams_at_6 * streams_at_7;
  v[3] = gated_3 * vec2f(0.8660254, -0.5);
  let streams_at_8 = streams[(thread + 36u) * 24u + channel];
  let streams_at_9 = streams[(thread + 36u) * 24u + channel + 8u];
  let gated_4 = streams_at_8 * streams_at_9;
  v[4] = gated_4 * vec2f(0.76604444, -0.64278764);
  let streams_at_10 = streams[(thread + 45u) * 24u + channel];
  let streams_at_11 = streams[(thread + 45u) * 24u + channel + 8u];
  let gated_5 = streams_at_10 * streams_at_11;
  v[5] = gated_5 * vec2f(0.64278764, -0.76604444);
  let streams_at_12 = streams[(thread + 54u) * 24u + channel];
  let streams_at_13 = streams[(thread + 54u) * 24u + channel + 8u];
  let gated_6 = streams_at_12 * streams_at_13;
  v[6] = gated_6 * vec2f(0.5, -0.8660254);
  let streams_at_14 = streams[(thread + 63u) * 24u + channel];
  let streams_at_15 = streams[(thread + 63u) * 24u + channel + 8u];
  let gated_7 = streams_at_14 * streams_at_15;
  v[7] = gated_7 * vec2f(0.34202015, -0.9396926);
  let streams_at_16 = streams[(thread + 72u) * 24u + channel];
  let streams_at_17 = streams[(thread + 72u) * 24u + channel + 8u];
  let gated_8 = streams_at_16 * streams_at_17;
  v[8] = gated_8 * vec2f(0.17364818, -0.9848077);
  dft9(&v);
  line[slot] = v[0];
  line[slot + 72u] = v[1];
  line[slot + 144u] = v[2];
  line[slot + 216u] = v[3];
  line[slot + 288u] = v[4];
  line[slot + 360u] = v[5];
  line[slot + 432u] = v[6];
  line[slot + 504u] = v[7];
  line[slot + 576u] = v[8];
  workgroupBarrier();
  // Stage 2 of 2, forward, times the spectrum, and back: radix 9, 9 butterflies.
  let base = thread * 9u;
  var v_1: array<vec2f, 9>;
  let slot_1 = base * 8u + channel;
  v_1[0] = line[slot_1];
  v_1[1] = line[slot_1 + 8u];
  v_1[2] = line[slot_1 + 16u];
  v_1[3] = line[slot_1 + 24u];
  v_1[4] = line[slot_1 + 32u];
  v_1[5] = line[slot_1 + 40u];
  v_1[6] = line[slot_1 + 48u];
  v_1[7] = line[slot_1 + 56u];
  v_1[8] = line[slot_1 + 64u];
  v_1[1] = complex_product(v_1[1], twiddles_9x9[thread]);
  v_1[2] = complex_product(v_1[2], twiddles_9x9[9u + thread]);
  v_1[3] = complex_product(v_1[3], twiddles_9x9[18u + thread]);
  v_1[4] = complex_product(v_1[4], twiddles_9x9[27u + thread]);
  v_1[5] = complex_product(v_1[5], twiddles_9x9[36u + thread]);
  v_1[6] = complex_product(v_1[6], twiddles_9x9[45u + thread]);
  v_1[7] = complex_product(v_1[7], twiddles_9x9[54u + thread]);
  v_1[8] = complex_product(v_1[8], twiddles_9x9[63u + thread]);
  dft9(&v_1);
  let spectrum_at = spectrum[channel * 162u + thread];
  let spectrum_at_1 = spectrum[channel * 162u + 81u + thread];
  v_1[0] = vec2f(v_1[0].x * spectrum_at - v_1[0].y * spectrum_at_1, -v_1[0].x * spectrum_at_1 - v_1[0].y * spectrum_at);
  let spectrum_at_2 = spectrum[channel * 162u + 9u + thread];
  let spectrum_at_3 = spectrum[channel * 162u + 81u + 9u + thread];
  v_1[1] = vec2f(v_1[1].x * spectrum_at_2 - v_1[1].y * spectrum_at_3, -v_1[1].x * spectrum_at_3 - v_1[1].y * spectrum_at_2);
  let spectrum_at_4 = spectrum[channel * 162u + 18u + thread];
  let spectrum_at_5 = spectrum[channel * 162u + 81u + 18u + thread];
  v_1[2] = vec2f(v_1[2].x * spectrum_at_4 - v_1[2].y * spectrum_at_5, -v_1[2].x * spectrum_at_5 - v_1[2].y * spectrum_at_4);
  let spectrum_at_6 = spectrum[channel * 162u + 27u + thread];
  let spectrum_at_7 = spectrum[channel * 162u + 81u + 27u + thread];
  v_1[3] = vec2f(v_1[3].x * spectrum_at_6 - v_1[3].y * spectrum_at_7, -v_1[3].x * spectrum_at_7 - v_1[3].y * spectrum_at_6);
  let spectrum_at_8 = spectrum[channel * 162u + 36u + thread];
  let spectrum_at_9 = spectrum[channel * 162u + 81u + 36u + thread];
  v_1[4] = vec2f(v_1[4].x * spectrum_at_8 - v_1[4].y * spectrum_at_9, -v_1[4].x * spectrum_at_9 - v_1[4].y * spectrum_at_8);
  let spectrum_at_10 = spectrum[channel * 162u + 45u + thread];
  let spectrum_at_11 = spectrum[channel * 162u + 81u + 45u + thread];
  v_1[5] = vec2f(v_1[5].x * spectrum_at_10 - v_1[5].y * spectrum_at_11, -v_1[5].x * spectrum_at_11 - v_1[5].y * spectrum_at_10);
  let spectrum_at_12 = spectrum[channel * 162u + 54u + thread];
  let spectrum_at_13 = spectrum[channel * 162u + 81u + 54u + thread];
  v_1[6] = vec2f(v_1[6].x * spectrum_at_12 - v_1[6].y * spectrum_at_13, -v_1[6].x * spectrum_at_13 - v_1[6].y * spectrum_at_12);
  let spectrum_at_14 = spectrum[channel * 162u + 63u + thread];
  let spectrum_at_15 = spectrum[channel * 162u + 81u + 63u + thread];
  v_1[7] = vec2f(v_1[7].x * spectrum_at_14 - v_1[7].y * spectrum_at_15, -v_1[7].x * spectrum_at_15 - v_1[7].y * spectrum_at_14);
  let spectrum_at_16 = spectrum[channel * 162u + 72u + thread];
  let spectrum_at_17 = spectrum[channel * 162u + 81u + 72u + thread];
  v_1[8] = vec2f(v_1[8].x * spectrum_at_16 - v_1[8].y * spectrum_at_17, -v_1[8].x * spectrum_at_17 - v_1[8].y * spectrum_at_16);
  dft9(&v_1);
  v_1[1] = complex_product(v_1[1], twiddles_9x9[thread]);
  v_1[2] = complex_product(v_1[2], twiddles_9x9[9u + thread]);
  v_1[3] = complex_product(v_1[3], twiddles_9x9[18u + thread]);
  v_1[4] = complex_product(v_1[4], twiddles_9x9[27u + thread]);
  v_1[5] = complex_product(v_1[5], twiddles_9x9[36u + thread]);
  v_1[6] = complex_product(v_1[6], twiddles_9x9[45u + thread]);
  v_1[7] = complex_product(v_1[7], twiddles_9x9[54u + thread]);
  v_1[8] = complex_product(v_1[8], twiddles_9x9[63u + thread]);
  line[slot_1] = v_1[0];
  line[slot_1 + 8u] = v_1[1];
  line[slot_1 + 16u] = v_1[2];
  line[slot_1 + 24u] = v_1[3];
  line[slot_1 + 32u] = v_1[4];
  line[slot_1 + 40u] = v_1[5];
  line[slot_1 + 48u] = v_1[6];
  line[slot_1 + 56u] = v_1[7];
  line[slot_1 + 64u] = v_1[8];
  workgroupBarrier();
  // Stage 1 of 2, inverse: radix 9, 9 butterflies.
  var v_2: array<vec2f, 9>;
  v_2[0] = line[slot];
  v_2[1] = line[slot + 72u];
  v_2[2] = line[slot + 144u];
  v_2[3] = line[slot + 216u];
  v_2[4] = line[slot + 288u];
  v_2[5] = line[slot + 360u];
  v_2[6] = line[slot + 432u];
  v_2[7] = line[slot + 504u];
  v_2[8] = line[slot + 576u];
  dft9(&v_2);
  let fft_conv = 0.012345679 * v_2[0].x;
  let streams_at_18 = streams[thread * 24u + channel + 16u];
  let mul = fft_conv * streams_at_18;
  y_out[thread * 8u + channel] = mul;
  let fft_conv_1 = 0.01215812 * v_2[1].x + 0.0021438047 * v_2[1].y;
  let streams_at_19 = streams[(thread + 9u) * 24u + channel + 16u];
  let mul_1 = fft_conv_1 * streams_at_19;
  y_out[(thread + 9u) * 8u + channel] = mul_1;
  let fft_conv_2 = 0.0116011435 * v_2[2].x + 0.004222471 * v_2[2].y;
  let streams_at_20 = streams[(thread + 18u) * 24u + channel + 16u];
  let mul_2 = fft_conv_2 * streams_at_20;
  y_out[(thread + 18u) * 8u + channel] = mul_2;
  let fft_conv_3 = 0.010691672 * v_2[3].x + 0.0061728396 * v_2[3].y;
  let streams_at_21 = streams[(thread + 27u) * 24u + channel + 16u];
  let mul_3 = fft_conv_3 * streams_at_21;
  y_out[(thread + 27u) * 8u + channel] = mul_3;
  let fft_conv_4 = 0.009457339 * v_2[4].x + 0.00793565 * v_2[4].y;
  let streams_at_22 = streams[(thread + 36u) * 24u + channel + 16u];
  let mul_4 = fft_conv_4 * streams_at_22;
  y_out[(thread + 36u) * 8u + channel] = mul_4;
  let fft_conv_5 = 0.00793565 * v_2[5].x + 0.009457339 * v_2[5].y;
  let streams_at_23 = streams[(thread + 45u) * 24u + channel + 16u];
  let mul_5 = fft_conv_5 * streams_at_23;
  y_out[(thread + 45u) * 8u + channel] = mul_5;
  let fft_conv_6 = 0.0061728396 * v_2[6].x + 0.010691672 * v_2[6].y;
  let streams_at_24 = streams[(thread + 54u) * 24u + channel + 16u];
  let mul_6 = fft_conv_6 * streams_at_24;
  y_out[(thread + 54u) * 8u + channel] = mul_6;
  let fft_conv_7 = 0.004222471 * v_2[7].x + 0.0116011435 * v_2[7].y;
  let streams_at_25 = streams[(thread + 63u) * 24u + channel + 16u];
  let mul_7 = fft_conv_7 * streams_at_25;
  y_out[(thread + 63u) * 8u + channel] = mul_7;
  let fft_conv_8 = 0.0021438047 * v_2[8].x + 0.01215812 * v_2[8].y;
  let streams_at_26 = streams[(thread + 72u) * 24u + channel + 16u];
  let mul_8 = fft_conv_8 * streams_at_26;
  y_out[(thread + 72u) * 8u + channel] = mul_8;
}
