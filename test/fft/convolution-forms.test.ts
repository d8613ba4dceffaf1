import { expect, test } from "vitest";
import { directConvolution, lineConvolution } from "../../src/ir/fft/convolve.js";
import type { Taps } from "../../src/ir/fft/spectrum.js";
import { spectrumOfTaps, tapsAsSignal } from "../../src/ir/fft/spectrum.js";
import { stageMatrix } from "../../src/ir/fft/stages.js";
import { points, samples, transformFor } from "../../src/ir/fft/transform.js";
import { convolveByStages, noise, relativeError, runStage } from "./compose.js";

// Float64 rounding 1.1e-16 against the line's norm, times at most sqrt(sum of factors) ~ 15: 1e-12 has room.
const tolerance = 1e-12;

const lengths = [1, 2, 3, 5, 7, 13, 31, 97, 100];
const spans = [
  { name: "causal", taps: (L: number) => L, lag0: () => 0 },
  { name: "two-sided", taps: (L: number) => 2 * L - 1, lag0: (L: number) => L - 1 },
  { name: "anticausal", taps: (L: number) => L, lag0: (L: number) => L - 1 },
  { name: "longer than the line", taps: (L: number) => 3 * L + 2, lag0: (L: number) => 2 * L },
  { name: "short, centred", taps: () => 3, lag0: () => 1 },
];

/** Factorisations with order, ones, primes and odd numbers: every divisor chain of a few M >= L. */
function factorisations(length: number): number[][] {
  const chains: number[][] = [];
  for (const M of [length, length + 1, length + 3, 2 * length]) {
    chains.push([M], [1, M], [M, 1]);
    for (let first = 2; first <= M; first++) {
      if (M % first !== 0) continue;
      const second = M / first;
      chains.push([first, second]);
      for (let cut = 2; cut <= second; cut++) if (second % cut === 0) chains.push([first, cut, second / cut]);
    }
  }
  return length < 30 ? chains : chains.filter((_, i) => i % 5 === 0);
}

test.each(spans)("right angle: $name filters at every length and factorisation", ({ taps, lag0 }) => {
  for (const length of lengths) {
    const filter = { taps: noise(taps(length), length), lag0: lag0(length), circular: false };
    const x = noise(length, 7);
    const expected = directConvolution(filter, x);
    const asTaps: Taps = { data: filter.taps, groups: 1, lag0: filter.lag0, circular: false };
    for (const factors of factorisations(length)) {
      const transform = transformFor("right_angle", factors, length);
      const error = relativeError(convolveByStages(transform, asTaps, x), expected);
      expect(error, `L=${length} ${factors.join("x")}`).toBeLessThan(tolerance);
    }
  }
});

test("right angle: 1000 samples in 10x10x10, 16x8x8 and 25x8x5, with a skip and a scale", () => {
  const filter = { taps: noise(1999, 4), lag0: 999, circular: false };
  const x = noise(1000, 9);
  const expected = directConvolution(filter, x).map((y, i) => 0.75 * (y + 3 * x[i]!));
  const taps: Taps = { data: filter.taps, groups: 1, lag0: 999, circular: false };
  for (const factors of [
    [10, 10, 10],
    [16, 8, 8],
    [25, 8, 5],
  ]) {
    const transform = transformFor("right_angle", factors, 1000);
    expect(relativeError(convolveByStages(transform, taps, x, 3, 0.75), expected)).toBeLessThan(tolerance);
  }
});

test.each(["last", "each"] as const)("scaling %s gives the same convolution", (scaling) => {
  const filter = { taps: noise(48, 4), lag0: 11, circular: false };
  const x = noise(48, 9);
  const transform = transformFor("right_angle", [4, 3, 4], 48, scaling);
  const taps: Taps = { data: filter.taps, groups: 1, lag0: 11, circular: false };
  expect(relativeError(convolveByStages(transform, taps, x), directConvolution(filter, x))).toBeLessThan(
    tolerance,
  );
});

test("scaling each keeps every entry of f16 size, scaling last does not", () => {
  const least = (scaling: "last" | "each") => {
    const matrix = stageMatrix(transformFor("right_angle", [128, 128], 16384, scaling), 0, "inverse");
    return Math.max(...matrix.data);
  };
  // The smallest normal f16 is 2^-14 = 6.1e-5.
  expect(least("last")).toBeLessThanOrEqual(2 ** -14);
  expect(least("each")).toBeGreaterThan(0.05);
});

test("a trailing product that divides L leaves nothing to pad", () => {
  expect(samples(transformFor("right_angle", [16, 8, 8], 960))).toBe(960);
  expect(samples(transformFor("right_angle", [16, 8, 8], 961))).toBe(1024);
});

test("packed circular: every even length and first factor, odd factors after it", () => {
  for (const length of [2, 4, 6, 8, 10, 12, 24, 30, 36, 50, 98, 100, 144]) {
    for (const lag0 of [0, 1, length >> 1]) {
      const filter = { taps: noise(length + 3, length), lag0, circular: true };
      const x = noise(length, 7);
      const expected = directConvolution(filter, x);
      const taps: Taps = { data: filter.taps, groups: 1, lag0, circular: true };
      for (const factors of factorisations(length)) {
        const transform = { form: "packed_circular", factors, rows: factors[0]!, scaling: "last" } as const;
        if (points(transform) !== length || factors[0]! % 2 !== 0) continue;
        const error = relativeError(convolveByStages(transform, taps, x), expected);
        expect(error, `L=${length} ${factors.join("x")}`).toBeLessThan(tolerance);
      }
    }
  }
});

test("packed circular over a padded length is the linear convolution of a short filter", () => {
  for (const [length, factors, scaling] of [
    [29, [4, 8], "last"],
    [60, [8, 3, 3], "each"],
    [61, [8, 9], "last"],
  ] as const) {
    const filter = { taps: noise(4, length), lag0: 1, circular: false };
    const x = noise(length, 2);
    const taps: Taps = { data: filter.taps, groups: 1, lag0: 1, circular: false };
    const transform = transformFor("packed_circular", factors, length, scaling);
    const error = relativeError(convolveByStages(transform, taps, x, 2), directWithSkip(filter, x, 2));
    expect(error, `L=${length}`).toBeLessThan(tolerance);
  }
});

test("circular lines of odd length go through the right angle with wrapped taps, at any M", () => {
  for (const length of [1, 3, 7, 13, 31, 97]) {
    const filter = { taps: noise(length + 4, length), lag0: 2, circular: true };
    const x = noise(length, 7);
    const taps: Taps = { data: filter.taps, groups: 1, lag0: 2, circular: true };
    for (const factors of factorisations(length)) {
      const transform = transformFor("right_angle", factors, length);
      const error = relativeError(convolveByStages(transform, taps, x), directConvolution(filter, x));
      expect(error, `L=${length} ${factors.join("x")}`).toBeLessThan(tolerance);
    }
  }
});

test("the spectrum is what the stage matrices make of the taps", () => {
  const taps: Taps = { data: noise(2 * 39, 3), groups: 2, lag0: 17, circular: false };
  const transform = { ...transformFor("right_angle", [4, 2, 3], 24), rows: 4 };
  const spectrum = spectrumOfTaps(transform, taps, 22);
  for (let group = 0; group < 2; group++) {
    const signal = tapsAsSignal(transform, taps, group, 22);
    const M = points(transform);
    let data: Float64Array = Float64Array.from(
      { length: 2 * M },
      (_, i) => signal[2 * (i % M) + Math.floor(i / M)]!,
    );
    for (let stage = 0; stage < 3; stage++) data = runStage(transform, stage, "forward", data);
    const ofGroup = spectrum.filter((_, i) => i % 2 === group);
    expect(relativeError(data, ofGroup)).toBeLessThan(tolerance);
  }
});

test("channels read their group, with their own skip and scale", () => {
  const transform = transformFor("right_angle", [2, 3], 6);
  const taps: Taps = { data: noise(12, 3), groups: 2, lag0: 0, circular: false };
  const skip = Float64Array.of(1, 2, 3, 4);
  const scale = Float64Array.of(1, -1, 0.5, 2);
  const folded = spectrumOfTaps(transform, taps, 6, { channels: 4, skip, scale });
  const plain = spectrumOfTaps(transform, taps, 6);
  // Layout [Q=2, part=2, 1, K=3, C]: even blocks of K are real parts.
  for (let i = 0; i < plain.length / 2; i++)
    for (let channel = 0; channel < 4; channel++) {
      const isReal = Math.floor(i / 3) % 2 === 0;
      const expected = scale[channel]! * (plain[2 * i + (channel >> 1)]! + (isReal ? skip[channel]! : 0));
      expect(folded[4 * i + channel]!).toBeCloseTo(expected, 12);
    }
});

test("lineConvolution agrees with the sum on both sides of its crossover", () => {
  for (const [length, count, circular] of [
    [100, 60, false],
    [400, 799, false],
    [400, 150, true],
    [331, 700, true],
    [300, 2000, false],
  ] as const) {
    const filter = { taps: noise(count, 1), lag0: count >> 1, circular };
    const x = noise(length, 2);
    const error = relativeError(lineConvolution(filter, length)(x), directConvolution(filter, x));
    expect(error, `L=${length} T=${count}`).toBeLessThan(tolerance);
  }
});

function directWithSkip(filter: Parameters<typeof directConvolution>[0], x: Float64Array, skip: number) {
  return directConvolution(filter, x).map((y, i) => y + skip * x[i]!);
}
