// Decisions that rounding may turn are counted, not failed; others are failures.
import { expect, test } from "vitest";
import { parseModule } from "../../src/ir/parse.js";
import { tensor } from "../../src/ir/tensor.js";
import { checkModule } from "../../src/runtime-check/check.js";
import { flips } from "../../src/runtime-check/near-ties.js";
import { float32Candidate, weightsOf } from "./float32.js";

const f32 = (shape: number[], ...numbers: number[]) => tensor("f32", shape, Float64Array.from(numbers));
const i32 = (...numbers: number[]) => tensor("i32", [numbers.length], Float64Array.from(numbers));
const op = (text: string) => parseModule(text).graphs[0]!.ops.at(-1)!;

test("argmax: the margin is that between the two choices, which may both move", () => {
  const argmax = op("graph @g(%x: f32[2, 3]) {\n  %y = argmax %x {axis = 1} : i32[2]\n  return y = %y\n}\n");
  const x = f32([2, 3], 1, 1.5, 1.25, 4, 3, 3.75);
  const found = flips(argmax, [x], i32(2, 2), i32(1, 0), [0.125]);
  expect(
    found.map(({ index, actual, expected, margin, allowed }) => [index, actual, expected, margin, allowed]),
  ).toEqual([
    [0, 2, 1, 0.25, 0.25],
    [1, 2, 0, 0.25, 0.25],
  ]);
  // The third best is farther away, and an index beyond the axis is never near.
  expect(flips(argmax, [x], i32(0, 9), i32(1, 0), [0.125]).map((f) => f.margin)).toEqual([0.5, Infinity]);
});

test("top_mask: a chosen one must fall below the next, another rise to the last chosen", () => {
  const top = op(
    "graph @g(%x: f32[1, 4]) {\n  %y = top_mask %x {axis = 1, k = 2} : bool[1, 4]\n  return y = %y\n}\n",
  );
  const mask = (...numbers: number[]) => tensor("bool", [1, 4], Float64Array.from(numbers));
  const x = f32([1, 4], 1, 4, 1.25, 2);
  // The reference chooses 4 and 2; the candidate 4 and 1.25: one left, one came, each 0.75 from the other side.
  const found = flips(top, [x], mask(0, 1, 1, 0), mask(0, 1, 0, 1), [0.125]);
  expect(found.map(({ index, margin, allowed }) => [index, margin, allowed])).toEqual([
    [2, 0.75, 0.25],
    [3, 0.75, 0.25],
  ]);
});

test("nearest_row: the margin of squared distances, and what rounding of x may do to it", () => {
  const nearest = op(
    "graph @g(%x: f32[1, 2], %t: f32[2, 2]) {\n  %y = nearest_row %x, %t : i32[1]\n  return y = %y\n}\n",
  );
  const table = f32([2, 2], 0, 0, 2, 0);
  const [flip] = flips(nearest, [f32([1, 2], 0.75, 0), table], i32(1), i32(0), [0.1, 0]);
  // 1.25^2 - 0.75^2 = 1; a shift of dx moves it by 2 * 2 * dx.
  expect(flip!.margin).toBeCloseTo(1, 12);
  expect(flip!.allowed).toBeGreaterThanOrEqual(4 * 0.1);
  expect(flip!.allowed).toBeLessThan(4 * 0.1 * Math.SQRT2 + 1e-5);
});

test("comparisons and truncation", () => {
  const less = op("graph @g(%a: f32[2], %b: f32[1]) {\n  %y = less %a, %b : bool[2]\n  return y = %y\n}\n");
  const bool = (...numbers: number[]) => tensor("bool", [numbers.length], Float64Array.from(numbers));
  const [flip] = flips(less, [f32([2], 1, 3), f32([1], 2.5)], bool(1, 1), bool(1, 0), [0.25, 0.25]);
  expect([flip!.index, flip!.margin, flip!.allowed]).toEqual([1, 0.5, 0.5]);
  const cast = op("graph @g(%x: f32[1]) {\n  %y = cast %x {to = i32} : i32[1]\n  return y = %y\n}\n");
  expect(flips(cast, [f32([1], 2.875)], i32(3), i32(2), [0.25])[0]!.margin).toBe(0.125);
});

test("an op that decides nothing has no near ties", () => {
  const take = op(
    "graph @g(%t: f32[3, 1], %i: i32[1]) {\n  %y = take %t, %i : f32[1, 1]\n  return y = %y\n}\n",
  );
  expect(flips(take, [f32([3, 1], 1, 2, 3), i32(1)], i32(2), i32(1), [1, 1])[0]!.margin).toBe(Infinity);
});

// Two rows of the head are equal but for 1e-9, far below float32 rounding: which token wins is chance.
const text = `graph @g(%x: f32[1, 4, 3]) {
  %w = weight {name = "w", shape = [3, 3]} : f32[3, 3]
  %table = weight {name = "table", shape = [3, 3]} : f32[3, 3]
  %logits = linear %x, %w : f32[1, 4, 3]
  %tokens = argmax %logits {axis = 2} : i32[1, 4]
  %e = take %table, %tokens : f32[1, 4, 3]
  %y = add %e, %x : f32[1, 4, 3]
  return y = %y, tokens = %tokens
}
`;
const x = f32([1, 4, 3], 1, 0.5, 0.25, 0.3, 0.7, 0.1, -1, 0.2, 0.6, 0.9, 0.8, 0.7);
const weights = weightsOf({
  w: f32([3, 3], 0.5, 0.25, 0.125, 0.5, 0.25, 0.125 - 1e-9, -1, -1, -1),
  table: f32([3, 3], 1, 2, 3, 4, 5, 6, 7, 8, 9),
});

test("near ties are counted, and what follows from one is not called wrong", async () => {
  const module = parseModule(text, { weights });
  // The candidate takes the other of the two equal rows, everywhere.
  const other = float32Candidate((o, _, [y]) =>
    o.name === "argmax" ? [{ ...y!, data: y!.data.map((v) => (v < 2 ? 1 - v : v)) }] : undefined,
  );
  const [graph] = (await checkModule(module, other, { inputs: { given: { x } } })).graphs;
  const status = Object.fromEntries(graph!.values.map((v) => [v.value, v.cumulative!.status]));
  expect(status).toEqual({ logits: "pass", tokens: "near-tie", e: "after-near-tie", y: "after-near-tie" });
  expect(graph!.outputs.map(({ whole }) => whole!.status)).toEqual(["after-near-tie", "near-tie"]);
  const flipped = graph!.values[1]!.cumulative!.flips!;
  expect(flipped.length).toBeGreaterThan(2);
  expect(flipped.every(({ margin, allowed }) => margin <= allowed && margin < 2e-9)).toBe(true);
  // Alone, fed equal logits, the tie goes to the lowest index: taking the other is an error there.
  expect(graph!.firstDivergence).toMatchObject({ mode: "isolated", op: "argmax" });
});

test("a flip across a wide margin is a failure", async () => {
  const module = parseModule(text, {
    weights: weightsOf({ w: f32([3, 3], 1, 0, 0, 0, 1, 0, 0, 0, 1), table: weights.read("table") }),
  });
  const wrong = float32Candidate((o, _, [y]) =>
    o.name === "argmax" ? [{ ...y!, data: y!.data.map((v) => (v + 1) % 3) }] : undefined,
  );
  const [graph] = (await checkModule(module, wrong, { inputs: { given: { x } } })).graphs;
  expect(graph!.values[1]!.cumulative!.status).toBe("fail");
  expect(graph!.outputs[1]!.whole!.status).toBe("fail");
});

// Experts 0 and 1 have equal scores but for 1e-9; expert 2 is far below.
const routed = `graph @g(%x: f32[1, 4, 3]) {
  %w = weight {name = "w", shape = [3, 3]} : f32[3, 3]
  %scores = linear %x, %w : f32[1, 4, 3]
  %chosen = top_mask %scores {axis = 2, k = 1} : bool[1, 4, 3]
  %zero = literal {values = [0], shape = [1]} : f32[1]
  %kept = where %chosen, %scores, %zero : f32[1, 4, 3]
  return kept = %kept, scores = %scores
}
`;

test.each([
  ["near", [0, 1], "near-tie", "after-near-tie"],
  ["far", [0, 2], "fail", "fail"],
] as const)("a router that takes another expert of %s score", async (_, [a, b], decision, after) => {
  const module = parseModule(routed, { weights });
  const swapped = (data: Float64Array) =>
    data.map((_, i) => data[i - (i % 3) + (i % 3 === a ? b : i % 3 === b ? a : i % 3)]!);
  const other = float32Candidate((o, _, [y]) =>
    o.name === "top_mask" ? [{ ...y!, data: swapped(y!.data) }] : undefined,
  );
  const positive = { ...x, data: x.data.map(Math.abs) };
  const [graph] = (await checkModule(module, other, { inputs: { given: { x: positive } } })).graphs;
  const status = Object.fromEntries(graph!.values.map((v) => [v.value, v.cumulative!.status]));
  expect([status.scores, status.chosen, status.kept]).toEqual(["pass", decision, after]);
  expect(graph!.agrees).toBe(false);
});
