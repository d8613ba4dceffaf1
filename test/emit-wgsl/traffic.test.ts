// Traffic of planned graphs: what a kernel moves, the least it could, and what a norm between products costs.

import { expect, test } from "vitest";
import { defaultLimits, noFeatures } from "../../src/emit-wgsl/limits.js";
import { trafficOf } from "../../src/emit-wgsl/traffic.js";
import { parseModule } from "../../src/ir/parse.js";
import { fuse } from "../../src/passes/fuse.js";
import { runPasses } from "../../src/passes/pass.js";

const environment = { limits: defaultLimits, features: noFeatures };

function traffic(text: string) {
  return trafficOf(runPasses(parseModule(text), [fuse()]), "g", environment);
}

test("a gated FFT convolution reads its streams and spectrum once and writes once", () => {
  const { rows, bytesRead, bytesWritten, minimum, ratio } =
    traffic(`graph @g(%x: f32[1, 1024, 384], %h: f32[128, 2, 8, 128]) {
  %v = slice %x {axis = 2, start = 0, length = 128} : f32[1, 1024, 128]
  %gate = slice %x {axis = 2, start = 128, length = 128} : f32[1, 1024, 128]
  %0 = mul %v, %gate : f32[1, 1024, 128]
  %1 = fft_conv %0, %h {factors = [16, 8, 8]} : f32[1, 1024, 128]
  %y = silu %1 : f32[1, 1024, 128]
  return y = %y
}
`);
  expect(rows.length).toBe(1);
  const line = 4 * 1024 * 128;
  // Two of the three streams, one complex spectrum, one result.
  expect(minimum).toBe(2 * line + 2 * line + line);
  expect(bytesWritten).toBe(line);
  // The twiddles, 8 bytes each, are all a kernel reads beside.
  expect(bytesRead + bytesWritten - minimum).toBe(8 * (16 * 7 + 128 * 7));
  expect(ratio).toBeLessThan(1.01);
});

test("beyond a workgroup's memory lines go through scratch three times", () => {
  const { ratio, rows } = traffic(`graph @g(%x: f32[1, 8192, 64], %h: f32[64, 2, 16, 512]) {
  %y = fft_conv %x, %h {factors = [32, 16, 16]} : f32[1, 8192, 64]
  return y = %y
}
`);
  expect(rows[0]!.kernels.length).toBe(3);
  // (4 + 8) + (8 + 8 + 8) + (8 + 4) of 16 bytes a sample.
  expect(ratio).toBeCloseTo(3, 1);
});

test("a norm between two products is paid above the minimum", () => {
  const { ratio, minimum, rows } = traffic(`graph @g(%x: f32[1, 64, 32], %w: f32[32, 32]) {
  %0 = linear %x, %w : f32[1, 64, 32]
  %1 = layer_norm %0 {epsilon = 0.00001} : f32[1, 64, 32]
  %y = linear %1, %w : f32[1, 64, 32]
  return y = %y
}
`);
  const [line, weight] = [4 * 64 * 32, 4 * 32 * 32];
  expect(minimum).toBe(2 * (2 * line + weight));
  expect(rows.map((row) => row.minimum)).toEqual([2 * line + weight, 0, 2 * line + weight]);
  expect(ratio).toBeCloseTo((minimum + 2 * line) / minimum, 12);
});
