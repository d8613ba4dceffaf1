// Quantiles against printed tables, and the tolerances against simulated honest targets.
import { expect, test } from "vitest";
import {
  fisherQuantile,
  incompleteBeta,
  largestNormalBound,
  meanSquareBound,
} from "../../src/runtime-check/statistics.js";
import { isolatedFactors, linesOf, predictedFactors } from "../../src/runtime-check/tolerance.js";

test("Fisher's F as in printed tables (Abramowitz and Stegun 1964, table 26.9)", () => {
  expect(fisherQuantile(0.05, 1, 5)).toBeCloseTo(6.61, 2);
  expect(fisherQuantile(0.05, 5, 10)).toBeCloseTo(3.33, 2);
  expect(fisherQuantile(0.01, 10, 20)).toBeCloseTo(3.37, 2);
  expect(fisherQuantile(0.001, 2, 8)).toBeCloseTo(18.49, 2);
});

test("the incomplete beta function where it is elementary", () => {
  // I_x(1, b) = 1 - (1 - x)^b; I_x(a, 1) = x^a.
  expect(incompleteBeta(0.3, 1, 7)).toBeCloseTo(1 - 0.7 ** 7, 12);
  expect(incompleteBeta(0.9, 3.5, 1)).toBeCloseTo(0.9 ** 3.5, 12);
  expect(incompleteBeta(0, 2, 2)).toBe(0);
  expect(incompleteBeta(1, 2, 2)).toBe(1);
});

/** Standard normals from a fixed generator. */
function normals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let h = state;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (((h ^ (h >>> 16)) >>> 0) + 0.5) * 2 ** -32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

const trials = 4000;
/** Three standard deviations above the rate that is promised. */
const limit = (alpha: number): number => alpha + 3 * Math.sqrt((alpha * (1 - alpha)) / trials);

// Errors of n numbers: all alone, all together, in groups, and with one number far larger than the rest.
const shapes: Readonly<Record<string, (draw: () => number, n: number) => number[]>> = {
  independent: (draw, n) => Array.from({ length: n }, draw),
  shared(draw, n) {
    const z = draw();
    return Array.from({ length: n }, () => z);
  },
  groups(draw, n) {
    const z = Array.from({ length: 4 }, draw);
    return Array.from({ length: n }, (_, i) => z[i % 4]!);
  },
  spiked: (draw, n) => Array.from({ length: n }, (_, i) => (i === 0 ? 30 * draw() : draw())),
};

test.each(Object.keys(shapes))("predictions from 5 runs keep their false-alarm rate: %s errors", (name) => {
  const runs = 5;
  const n = 64;
  const alpha = 0.02;
  const draw = normals(name.length);
  let alarms = { largest: 0, rms: 0 };
  for (let trial = 0; trial < trials; trial++) {
    const samples = Array.from({ length: runs }, () => shapes[name]!(draw, n));
    const honest = shapes[name]!(draw, n);
    const squares = (x: readonly number[]): number => x.reduce((s, v) => s + v * v, 0);
    const most = (x: readonly number[]): number => Math.max(...x.map(Math.abs));
    const rms = Math.sqrt(samples.reduce((s, x) => s + squares(x), 0) / (runs * n));
    const largest = Math.sqrt(samples.reduce((s, x) => s + most(x) ** 2, 0) / runs);
    let alignment = 0;
    samples.forEach((a, r) => {
      for (const b of samples.slice(0, r)) {
        const inner = a.reduce((s, v, i) => s + v * b[i]!, 0);
        alignment = Math.max(alignment, inner ** 2 / (squares(a) * squares(b)));
      }
    });
    const factors = predictedFactors(alpha, Math.min(n, 1 / alignment), runs);
    if (most(honest) > factors.largest * largest) alarms = { ...alarms, largest: alarms.largest + 1 };
    if (Math.sqrt(squares(honest) / n) > factors.rms * rms) alarms = { ...alarms, rms: alarms.rms + 1 };
  }
  expect(alarms.largest / trials).toBeLessThanOrEqual(limit(alpha));
  expect(alarms.rms / trials).toBeLessThanOrEqual(limit(alpha));
});

test("isolated tolerances keep their false-alarm rate and are not much wider than needed", () => {
  const alpha = 0.02;
  const draw = normals(11);
  const n = 64;
  let alarms = 0;
  const found: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const worst = Math.max(...Array.from({ length: n }, () => Math.abs(draw()) / Math.sqrt(3)));
    found.push(worst);
    if (worst > isolatedFactors(alpha, n, n).largest) alarms++;
  }
  expect(alarms / trials).toBeLessThanOrEqual(limit(alpha));
  found.sort((a, b) => a - b);
  expect(isolatedFactors(alpha, n, n).largest).toBeLessThan(1.25 * found[Math.floor(trials * (1 - alpha))]!);
});

test("bounds shrink to the mean as numbers grow many", () => {
  expect(meanSquareBound(1e-6, 1e6)).toBeLessThan(1.01);
  expect(meanSquareBound(1e-6, 1)).toBeGreaterThan(20);
  expect(largestNormalBound(1e-6, 1)).toBeCloseTo(5.387, 3);
  // Errors that are the same everywhere are honest as long as each is within the model.
  expect(isolatedFactors(1e-6, 1e6, 1e6).rms).toBe(1);
});

test("lines of a shape", () => {
  expect(linesOf([2, 3, 64])).toBe(6);
  expect(linesOf([])).toBe(1);
});
