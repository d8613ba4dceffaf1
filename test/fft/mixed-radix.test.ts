import { expect, test } from "vitest";
import { fft, inverseFft } from "../../src/ir/fft/mixed-radix.js";
import { noise, relativeError } from "./compose.js";

/** The definition. Angles are reduced in integers, so the sum itself is good to about 1e-16 sqrt(N). */
function directSum(x: Float64Array, bins: readonly number[]): Float64Array {
  const n = x.length / 2;
  const result = new Float64Array(2 * bins.length);
  bins.forEach((k, i) => {
    for (let t = 0; t < n; t++) {
      const angle = (-2 * Math.PI * ((k * t) % n)) / n;
      result[2 * i]! += x[2 * t]! * Math.cos(angle) - x[2 * t + 1]! * Math.sin(angle);
      result[2 * i + 1]! += x[2 * t]! * Math.sin(angle) + x[2 * t + 1]! * Math.cos(angle);
    }
  });
  return result;
}

const small = Array.from({ length: 64 }, (_, i) => i + 1);
// 101 and 1009 are primes beyond the direct butterflies, 2018 = 2 x 1009, 1147 = 31 x 37, 961 = 31 x 31.
const lengths = [...small, 97, 100, 101, 127, 360, 961, 1000, 1009, 1147, 2018, 4096];

// 1e-13: float64 rounding 1.1e-16 times the direct sum's sqrt(N) <= 64 and Bluestein's three transforms.
test.each(lengths)("fft of length %i is the direct sum", (n) => {
  const x = noise(2 * n, n);
  const bins = n <= 1024 ? Array.from({ length: n }, (_, k) => k) : [0, 1, 2, 3, (n >> 1) - 1, n >> 1, n - 1];
  const whole = fft(x);
  const got = Float64Array.from(bins.flatMap((k) => [whole[2 * k]!, whole[2 * k + 1]!]));
  expect(relativeError(got, directSum(x, bins))).toBeLessThan(1e-13);
});

test("long lines: chosen bins of 16384 points", () => {
  const x = noise(2 * 16384, 3);
  const bins = [0, 1, 4095, 8192, 16383];
  const whole = fft(x);
  const got = Float64Array.from(bins.flatMap((k) => [whole[2 * k]!, whole[2 * k + 1]!]));
  expect(relativeError(got, directSum(x, bins))).toBeLessThan(1e-13);
});

test.each([1, 2, 7, 30, 37, 1000, 1009])("inverseFft undoes fft at length %i", (n) => {
  const x = noise(2 * n, 5);
  expect(relativeError(inverseFft(fft(x)), x)).toBeLessThan(1e-13);
});

test("fft leaves its input alone", () => {
  const x = noise(16, 1);
  const copy = Float64Array.from(x);
  fft(x);
  expect(x).toEqual(copy);
});
