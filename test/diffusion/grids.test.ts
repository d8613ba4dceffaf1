// Grids of sampling times, a few values of each by hand.
import { expect, test } from "vitest";
import { resolveGrid, type TimestepsDescription } from "../../src/diffusion/grid.js";
import { normalNoise } from "../../src/diffusion/normal.js";
import { type NoiseScheduleDescription, resolveSchedule } from "../../src/diffusion/resolve.js";
import { deriveKey } from "../../src/diffusion/rng.js";

const trained = (steps: number): NoiseScheduleDescription => ({
  family: "sqrt",
  discretization: { kind: "ratio_beta", num_train_steps: steps },
});
const indices = (timesteps: TimestepsDescription, steps: number, count?: number): unknown[] =>
  resolveGrid(timesteps, resolveSchedule(trained(steps)), count).map(({ index }) => index);

const exploding: NoiseScheduleDescription = {
  family: "karras",
  rho: 1,
  sigma_min: 1,
  sigma_max: 101,
  process: "variance_exploding",
} as NoiseScheduleDescription;

test("karras: powers evenly spaced, on whatever schedule", () => {
  const grid = { kind: "karras", rho: 2, sigma_max: 81, sigma_min: 1, num_steps: 5 } as const;
  // Roots 9, 7, 5, 3, 1; sigma = 1 + 100 t.
  const times = resolveGrid(grid, resolveSchedule(exploding)).map(({ t }) => t);
  [0.8, 0.48, 0.24, 0.08, 0].forEach((t, i) => {
    expect(times[i]).toBeCloseTo(t, 12);
  });
  const cosine = resolveSchedule({ family: "cosine", discretization: { kind: "continuous" } });
  const noise = resolveGrid(grid, cosine).map(({ level }) => Math.exp(level.gamma / 2));
  [81, 49, 25, 9, 1].forEach((sigma, i) => {
    expect(noise[i]! / sigma).toBeCloseTo(1, 9);
  });
  expect(() => resolveGrid({ ...grid, sigma_max: 102 }, resolveSchedule(exploding))).toThrow("102");
});

test("logit_normal: 1, then the seed's numbers through the sigmoid, falling", () => {
  const grid = { kind: "logit_normal", mean: 0.5, std: 2, seed: 3, num_steps: 4 } as const;
  const times = resolveGrid(grid, resolveSchedule({ family: "flow" })).map(({ t }) => t);
  const drawn = [...normalNoise(deriveKey(3), 0, 1, 3, 1)].sort((p, q) => q - p);
  expect(times).toHaveLength(4);
  expect(times[0]).toBe(1);
  drawn.forEach((n, i) => {
    // ln(t / (1 - t)) = mean + std n
    expect(Math.log(times[i + 1]! / (1 - times[i + 1]!))).toBeCloseTo(0.5 + 2 * n, 9);
  });
  expect(resolveGrid({ ...grid, num_steps: 1 }, resolveSchedule({ family: "flow" }))).toHaveLength(1);
});

test("warp: the inverse of a piecewise linear distribution", () => {
  // F: 0 at 1, 3 at 2, 4 at 5. Of q = 4, 3.2, 2.4, 1.6, 0.8, 0 the first two lie in the second piece.
  const grid = { kind: "warp", times: [1, 2, 5], cdf: [0, 3, 4], num_steps: 6 } as const;
  const times = resolveGrid(grid, resolveSchedule(exploding)).map(({ t }) => 1 + 4 * t);
  [5, 2.6, 1.8, 1 + 1.6 / 3, 1 + 0.8 / 3, 1].forEach((t, i) => {
    expect(times[i]).toBeCloseTo(t, 12);
  });
  const scaled = { ...grid, times: [10, 20, 50], cdf: [-1, 5, 7] };
  const same = resolveGrid(scaled, resolveSchedule(exploding)).map(({ t }) => 1 + 4 * t);
  same.forEach((t, i) => {
    expect(t).toBeCloseTo(times[i]!, 12);
  });
});

test("gap: from the noisiest step down by floor(T / N)", () => {
  expect(indices({ kind: "gap", num_steps: 5 }, 20)).toEqual([19, 15, 11, 7, 3]);
  // range(20)[::-1][::3] has seven members.
  expect(indices({ kind: "gap", num_steps: 6 }, 20)).toEqual([19, 16, 13, 10, 7, 4, 1]);
  expect(indices({ kind: "gap", num_steps: 5 }, 20, 2)).toEqual([19, 9]);
  expect(() => indices({ kind: "gap", num_steps: 21 }, 20)).toThrow("21 steps do not fit");
});
