// The number that a network is told, times the factor that the description gives.
import { expect, test } from "vitest";
import { levelFromPowers } from "../../src/diffusion/noise-level.js";
import { timeInput } from "../../src/diffusion/time-input.js";

const point = { t: 0.25, index: 7, level: levelFromPowers(0.64, 0.36) };

test.each([
  ["t", 0.25],
  ["t_index", 7],
  ["t_scaled", 7],
  ["alpha", 0.8],
  ["sigma", 0.6],
  ["log_sigma", Math.log(0.6)],
  ["gamma", Math.log(0.36 / 0.64)],
  ["total_noise", -Math.log(0.64)],
  ["constant", 1],
  ["zero", 0],
] as const)("%s", (input, value) => {
  expect(timeInput({ input }, point)).toBeCloseTo(value, 12);
  expect(timeInput({ input, scale: 1000 }, point)).toBeCloseTo(1000 * value, 9);
});

test("continuous time has no index", () => {
  const { index: _, ...continuous } = point;
  expect(timeInput({ input: "t_scaled", scale: 4 }, continuous)).toBe(1);
});
