// The factors the line kernel is given: enough points, codelets for all of them, lines that fit.

import { expect, test } from "vitest";
import { lineFactors, radices } from "../../src/ir/fft/radices.js";

const longest = 4096;
const product = (factors: readonly number[]): number => factors.reduce((a, b) => a * b, 1);

test("factors of known lengths", () => {
  const chosen = [1, 2, 81, 97, 256, 1000, 1024, 4096, 5000, 65536].map((n) => [
    n,
    lineFactors(n, longest)?.join("x"),
  ]);
  expect(Object.fromEntries(chosen)).toMatchInlineSnapshot(`
    {
      "1": "1",
      "1000": "32x32",
      "1024": "32x32",
      "2": "2",
      "256": "16x16",
      "4096": "16x16x16",
      "5000": "20x16x16",
      "65536": "16x16x16x16",
      "81": "9x9",
      "97": "10x10",
    }
  `);
});

test("every length up to 4096 and beyond has factors that hold it", () => {
  for (let length = 2; length <= 80000; length += length < 300 ? 1 : 997) {
    const factors = lineFactors(length, longest)!;
    const points = product(factors);
    expect(factors.every((factor) => radices.includes(factor))).toBe(true);
    expect(points).toBeGreaterThanOrEqual(length);
    expect(points <= longest || points / factors[0]! <= longest).toBe(true);
  }
  expect(lineFactors(1 << 20, longest)).toBeUndefined();
});
