// @step on row i of @time(levels) is the original @step at level i; the same for the folded table.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph } from "../../src/ir/graph.js";
import { parseModule } from "../../src/ir/parse.js";
import { seededInputs } from "../../src/ir/seeded.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";
import { canonicalise } from "../../src/passes/canonicalise.js";
import { hoistTime } from "../../src/passes/hoist-time.js";
import { inlineCalls } from "../../src/passes/inline-calls.js";
import { runPasses } from "../../src/passes/pass.js";
import { seededWeights } from "../file-tests/weights.js";

// Two blocks of different conditioning: an additive vector and adaLN modulations, behind a call as in a model.
const text = `dim B >= 1

graph @denoise(%x: f32[B, 3, 4], %level: f32[1]) {
  %frequencies = literal {values = [1, 0.01], shape = [2]} : f32[2]
  %0 = reshape %level {shape = [1, 1]} : f32[1, 1]
  %1 = mul %0, %frequencies : f32[1, 2]
  %2 = cos %1 : f32[1, 2]
  %3 = sin %1 : f32[1, 2]
  %4 = concat %2, %3 {axis = 1} : f32[1, 4]
  %w = weight {name = "time.mlp.0.weight", shape = [4, 4]} : f32[4, 4]
  %5 = linear %4, %w : f32[1, 4]
  %6 = gelu %5 : f32[1, 4]
  %7 = reshape %6 {shape = [1, 1, 4]} : f32[1, 1, 4]
  %8 = add %x, %7 : f32[B, 3, 4]
  %ada = weight {name = "ada_ln.weight", shape = [12, 4]} : f32[12, 4]
  %9 = linear %6, %ada : f32[1, 12]
  %10 = reshape %9 {shape = [1, 1, 12]} : f32[1, 1, 12]
  %shift = slice %10 {axis = 2, start = 0, length = 4} : f32[1, 1, 4]
  %gain = slice %10 {axis = 2, start = 4, length = 4} : f32[1, 1, 4]
  %gate = slice %10 {axis = 2, start = 8, length = 4} : f32[1, 1, 4]
  %11 = scale %gain {offset = 1} : f32[1, 1, 4]
  %12 = mul %8, %11 : f32[B, 3, 4]
  %13 = add %12, %shift : f32[B, 3, 4]
  %14 = tanh %13 : f32[B, 3, 4]
  %15 = mul %14, %gate : f32[B, 3, 4]
  %x0 = add %8, %15 : f32[B, 3, 4]
  return x0 = %x0
}

graph @step(%x: f32[B, 3, 4], %level: f32[1]) {
  %x0 = call %x, %level {graph = "denoise"} : f32[B, 3, 4]
  return x0 = %x0
}
`;
const parsed = parseModule(text);
const sizes = new Map([["B", 2]]);
const module = { ...parsed, weights: seededWeights(parsed, sizes) };
const levels = Float64Array.of(999, 250.5, 0.125, 0);
const [x] = seededInputs(module, findGraph(module, "step")!, sizes) as [Tensor];

function original(i: number): Tensor {
  return evaluate(module, "step", [x, tensor("f32", [1], levels.slice(i, i + 1))])[0]!;
}

function largestDifference(a: Tensor, b: Tensor): number {
  return a.data.reduce((most, v, i) => Math.max(most, Math.abs(v - b.data[i]!)), 0);
}

test("@step on row i of @time is @step at level i", () => {
  const result = runPasses(module, [inlineCalls, hoistTime({ time: "run" }), canonicalise]);
  const [table] = evaluate(result, "time", [tensor("f32", [4], levels)]) as [Tensor];
  // The additive vector (4) and three modulations of 4: nothing twice.
  expect(table.shape).toEqual([4, 16]);
  levels.forEach((_, i) => {
    const row = tensor("f32", [1, 16], table.data.slice(16 * i, 16 * (i + 1)));
    const [x0] = evaluate(result, "step", [x, row]) as [Tensor];
    expect(largestDifference(original(i), x0)).toBeLessThanOrEqual(1e-12);
  });
  // Neighbouring rows are not the same row.
  expect(largestDifference(original(0), original(1))).toBeGreaterThan(0.01);
});

test("with the levels folded in, step i is @step at level i", () => {
  const result = runPasses(module, [inlineCalls, hoistTime({ time: "fold", levels: [...levels] })]);
  expect(findGraph(result, "time")).toBeUndefined();
  levels.forEach((_, i) => {
    const [x0] = evaluate(result, "step", [x, tensor("i32", [1], Float64Array.of(i))]) as [Tensor];
    expect(largestDifference(original(i), x0)).toBeLessThanOrEqual(1e-12);
  });
});
