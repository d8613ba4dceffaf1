// One comparison, every number of it by hand.
import { expect, test } from "vitest";
import { tensor } from "../../src/ir/tensor.js";
import { compare, indexOf, strain, ulp } from "../../src/runtime-check/compare.js";

const f32 = (...numbers: number[]) => tensor("f32", [numbers.length], Float64Array.from(numbers));
const each = (sizes: number[], largest = 2, rms = 1) =>
  ({ kind: "each", sizes: Float64Array.from(sizes), largest, rms }) as const;

test("errors, their place and their size in every unit", () => {
  const c = compare(f32(1, 2.5, -4), f32(1, 2, -4.25), each([0.1, 0.3, 0.3], 2, 2));
  expect(c.maxAbsolute).toBe(0.5);
  expect(c.maxRelative).toBe(0.25);
  expect(c.rms).toBeCloseTo(Math.sqrt((0.25 + 0.0625) / 3), 12);
  expect(c.maxUlp).toBe(0.5 * 2 ** 22);
  expect([c.worst, c.worstActual, c.worstExpected, c.first, c.differing]).toEqual([1, 2.5, 2, -1, 2]);
  expect(c.largest!.measured).toBeCloseTo(0.5 / 0.3, 12);
  expect(c.passes).toBe(true);
});

test("the largest error and the spread fail each on its own", () => {
  const narrow = compare(f32(1, 1, 1, 1.5), f32(1, 1, 1, 1), each([0.2, 0.2, 0.2, 0.2], 2, 2));
  expect([narrow.passes, narrow.first, narrow.worst]).toEqual([false, 3, 3]);
  const wide = compare(f32(1.3, 1.3, 1.3, 1.3), f32(1, 1, 1, 1), each([0.2, 0.2, 0.2, 0.2], 2, 1));
  expect([wide.passes, wide.first]).toEqual([false, -1]);
  expect(strain(wide)).toBeCloseTo(1.5, 12);
});

test("where nothing may round, nothing but a flushed subnormal may differ", () => {
  expect(compare(f32(0, 0), f32(1e-40, 0), each([0, 0])).passes).toBe(true);
  expect(compare(f32(1e-30), f32(0), each([0])).passes).toBe(false);
});

test("numbers that are not finite", () => {
  const both = compare(f32(Number.NaN, Infinity), f32(Number.NaN, Infinity), each([1, 1]));
  expect([both.passes, both.differing]).toEqual([true, 0]);
  const one = compare(f32(1, Number.NaN, Infinity), f32(1, 2, 3), each([1, 1, 1]));
  expect(one.passes).toBe(false);
  expect(one.nonFinite).toEqual({ index: 1, actual: Number.NaN, expected: 2 });
  expect(compare(f32(Infinity), f32(-Infinity), each([1])).passes).toBe(false);
});

test("integers are equal or not", () => {
  const i32 = (...numbers: number[]) => tensor("i32", [numbers.length], Float64Array.from(numbers));
  expect(compare(i32(1, 2), i32(1, 2), { kind: "exact" }).passes).toBe(true);
  const c = compare(i32(1, 3), i32(1, 2), { kind: "exact" });
  expect([c.passes, c.differing, c.first, c.largest]).toEqual([false, 1, 1, undefined]);
});

test("units in the last place", () => {
  expect(ulp(1, "f32")).toBe(2 ** -23);
  expect(ulp(-1.99, "f32")).toBe(2 ** -23);
  expect(ulp(2, "f16")).toBe(2 ** -9);
  expect(ulp(0, "f32")).toBe(2 ** -149);
  expect(ulp(1e-45, "f32")).toBe(2 ** -149);
  // Both sides of every power of two, down into what f32 holds as subnormal and float64 does not at all.
  for (let e = -1022; e < 127; e++) {
    const [below, at] = [2 ** e * (1 - 2 ** -53), -(2 ** e)];
    expect([ulp(below, "f32"), ulp(at, "f32")]).toEqual([
      2 ** Math.max(-149, e - 24),
      2 ** Math.max(-149, e - 23),
    ]);
  }
  expect(ulp(5e-324, "f16")).toBe(2 ** -24);
});

test("indices, the parts of complex numbers last", () => {
  expect(indexOf(23, tensor("f32", [2, 3, 4]))).toEqual([1, 2, 3]);
  expect(indexOf(5, tensor("c64", [2, 2]))).toEqual([1, 0, 1]);
});
