// Grids of sampling times, a few values of each by hand.
import { expect, test } from "vitest";
import { resolveGrid, type TimestepsDescription } from "../../src/diffusion/grid.js";
import { type NoiseScheduleDescription, resolveSchedule } from "../../src/diffusion/resolve.js";

const trained = (steps: number): NoiseScheduleDescription => ({
  family: "sqrt",
  discretization: { kind: "ratio_beta", num_train_steps: steps },
});
const indices = (timesteps: TimestepsDescription, steps: number, count?: number): unknown[] =>
  resolveGrid(timesteps, resolveSchedule(trained(steps)), count).map(({ index }) => index);

test("gap: from the noisiest step down by floor(T / N)", () => {
  expect(indices({ kind: "gap", num_steps: 5 }, 20)).toEqual([19, 15, 11, 7, 3]);
  // range(20)[::-1][::3] has seven members.
  expect(indices({ kind: "gap", num_steps: 6 }, 20)).toEqual([19, 16, 13, 10, 7, 4, 1]);
  expect(indices({ kind: "gap", num_steps: 5 }, 20, 2)).toEqual([19, 9]);
  expect(() => indices({ kind: "gap", num_steps: 21 }, 20)).toThrow("21 steps do not fit");
});
