// Seeded inputs: what each role gets, and that the same seed gives the same numbers.
import { expect, test } from "vitest";
import { parseModule } from "../../src/ir/parse.js";
import { makeInputs } from "../../src/runtime-check/inputs.js";
import { randomTensor, weightsOf } from "./float32.js";

const text = `dim B in 1..3
dim L >= 2

graph @g(%tokens: i32[B, L], %x: f32[B, L, 5], %level: f32[B], %prior_scale: f32[B], %coefficients: f32[4], %fixed_mask: bool[B, L]) {
  %table = weight {name = "table", shape = [7, 5]} : f32[7, 5]
  %flat = reshape %tokens {shape = [B*L]} : i32[B*L]
  %e = take %table, %flat : f32[B*L, 5]
  return e = %e
}
`;
const graph = parseModule(text, { weights: weightsOf({ table: randomTensor(1, [7, 5]) }) }).graphs[0]!;

test("every role", () => {
  const inputs = makeInputs(graph, { seed: 1, sizes: { L: 400 } });
  const [tokens, x, level, prior, coefficients, mask] = inputs.map((t) => t.data);
  expect(inputs.map((t) => t.shape)).toEqual([[2, 400], [2, 400, 5], [2], [2], [4], [2, 400]]);
  expect([Math.min(...tokens!), Math.max(...tokens!)]).toEqual([0, 6]);
  const mean = x!.reduce((s, v) => s + v, 0) / x!.length;
  const variance = x!.reduce((s, v) => s + v * v, 0) / x!.length;
  // Four standard errors of 4000 normals.
  expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(4000));
  expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / 4000));
  expect(x!.every((v) => Math.fround(v) === v)).toBe(true);
  expect(level!.every((v) => v > 0 && v < 1)).toBe(true);
  expect(prior!.every((v) => v > 0)).toBe(true);
  expect(coefficients![0]).toBeGreaterThan(0);
  expect(new Set(mask)).toEqual(new Set([0, 1]));
});

test("a step of the sampler gives its own numbers; tensors that are given are used", () => {
  const row = { level: 40, priorScale: 2.5, a: 1, b: 2, c: 3, s: 4 };
  const given = { tokens: { element: "i32" as const, shape: [1, 2], data: Float64Array.of(3, 4) } };
  const inputs = makeInputs(graph, { row, given, sizes: { B: 1, L: 2 } });
  expect(inputs[0]).toBe(given.tokens);
  expect([...inputs[2]!.data, ...inputs[3]!.data, ...inputs[4]!.data]).toEqual([40, 2.5, 1, 2, 3, 4]);
});

test("seeds", () => {
  const of = (seed: number) => [...makeInputs(graph, { seed })[1]!.data];
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(2));
});
