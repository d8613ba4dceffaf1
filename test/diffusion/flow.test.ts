// Flow matching: the plan against the loop of ELF's paper written out, and against the exact flow of a Gaussian.
import { describe, expect, test } from "vitest";
import { planSampler } from "../../src/diffusion/index.js";

interface Case {
  readonly churn: number;
  readonly scale: number;
  readonly leastLeft: number;
  /** Times from noisy 0 to clean 1. */
  readonly times: readonly number[];
}

const planOf = ({ churn, scale, leastLeft, times }: Case) => {
  const path = { family: "flow", noise_scale: scale };
  return planSampler({
    noise_schedule: path,
    timesteps: { kind: "table", values: times.slice(0, -1).map((t) => 1 - t) },
    time_conditioning: { input: "alpha" },
    sampler: { kind: "flow", churn, t_eps: leastLeft },
  });
};

/** A network that is not linear, and noise that is not random. */
const network = (z: number, t: number): number => Math.tanh(z + t) - 0.3 * t;
const noise = (k: number): number => Math.sin(3 * k + 1);

describe.each<Case>([
  { churn: 0, scale: 2, leastLeft: 0.05, times: [0, 0.2, 0.5, 0.97, 1] },
  { churn: 1.5, scale: 2, leastLeft: 0.05, times: [0, 0.1, 0.12, 0.4, 0.8, 0.99, 1] },
  // k is clipped to 0 in the middle.
  { churn: 4, scale: 1, leastLeft: 0, times: [0, 0.1, 0.6, 1] },
  { churn: 1, scale: 3, leastLeft: 0.2, times: [0.3, 0.5, 1] },
  { churn: 2, scale: 2, leastLeft: 0.05, times: [0, 1] },
])("%o", (flow) => {
  const plan = planOf(flow);
  const { churn, scale, leastLeft, times } = flow;
  const keep = (i: number): number =>
    i + 2 < times.length ? Math.min(1, Math.max(0, 1 - churn * (times[i + 1]! - times[i]!))) : 1;

  test("walks as the loop with noise mixed in before each call", () => {
    const start = 0.7;
    const mixed = (z: number, i: number) => keep(i) * z + (1 - keep(i)) * scale * noise(i);
    let z = start;
    for (let i = 0; i + 1 < times.length; i++) {
      const [before, t] = [mixed(z, i), keep(i) * times[i]!];
      z = before + ((times[i + 1]! - t) * (network(before, t) - before)) / Math.max(1 - t, leastLeft);
    }
    let x = mixed(start, 0);
    for (const [i, { a, b, c, s, level }] of plan.rows.entries()) {
      expect(level).toBeCloseTo(keep(i) * times[i]!, 12);
      expect(c).toBe(0);
      x = a * network(x, level) + b * x + s * noise(i + 1);
    }
    expect(x).toBeCloseTo(z, 11);
  });

  test("starts with the spread of the noise after the first mixing", () => {
    const first = scale * (1 - times[0]!);
    expect(plan.initialNoiseScale).toBeCloseTo(Math.hypot(keep(0) * first, (1 - keep(0)) * scale), 12);
    expect(plan.rows.at(-1)!.s).toBe(0);
  });
});

test("the churn of the last step is none, whatever it is elsewhere", () => {
  const { rows, initialNoiseScale } = planOf({ churn: 2, scale: 2, leastLeft: 0, times: [0, 1] });
  expect(rows).toHaveLength(1);
  // One step from pure noise to the prediction.
  expect(rows[0]).toMatchObject({ a: 1, b: 0, s: 0, level: 0 });
  expect(initialNoiseScale).toBe(2);
});

/**
 * x0 ~ N(0, v): the exact denoiser is t v z / (t^2 v + s^2 (1 - t)^2), and the flow keeps z over the standard deviation of
 * its marginal.
 */
test("without churn it is a method of first order for the flow of a Gaussian", () => {
  const [v, scale] = [0.25, 2];
  const errorOf = (steps: number): number => {
    const times = Array.from({ length: steps + 1 }, (_, i) => i / steps);
    let z = scale;
    for (const { a, b, level: t } of planOf({ churn: 0, scale, leastLeft: 0, times }).rows)
      z = a * ((t * v * z) / (t * t * v + scale * scale * (1 - t) ** 2)) + b * z;
    return Math.abs(z - Math.sqrt(v));
  };
  const [coarse, fine] = [errorOf(200), errorOf(400)];
  expect(fine).toBeLessThan(0.01);
  expect(coarse / fine).toBeGreaterThan(1.8);
  expect(coarse / fine).toBeLessThan(2.2);
});
