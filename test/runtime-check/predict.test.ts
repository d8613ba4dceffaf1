// Predicted errors where the right answer is known on paper, and the modules that checks look inside with.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { parseModule } from "../../src/ir/parse.js";
import { tensor } from "../../src/ir/tensor.js";
import { verify } from "../../src/ir/verify.js";
import { correctlyRounded, onnxRuntimeCpu, wgsl } from "../../src/runtime-check/accuracy.js";
import { flatten } from "../../src/runtime-check/flatten.js";
import { cumulative, isolated } from "../../src/runtime-check/isolate.js";
import { localError } from "../../src/runtime-check/local-error.js";
import { predict } from "../../src/runtime-check/predict.js";
import { randomTensor, weightsOf } from "./float32.js";

const u = 2 ** -24;
const accuracy = correctlyRounded;
const module = (body: string, header = "%x: f32[400]", weights = {}) =>
  parseModule(`graph @g(${header}) {\n${body}}\n`, { weights: weightsOf(weights) });

test("cancellation keeps the absolute error: (x + 1000) - 1000", () => {
  const m = module(
    "  %a = scale %x {offset = 1000} : f32[400]\n  %y = scale %a {offset = -1000} : f32[400]\n  return y = %y\n",
  );
  const graph = m.graphs[0]!;
  const { values } = predict(m, graph, [randomTensor(1, [400])], { accuracy, runs: 20 });
  // The first sum is near 1000 and rounds by about 1000 u / sqrt 3 (and counts x u); the second adds as much again.
  const first = values.get(graph.ops[0]!.results[0]!)!;
  expect(first.rms / ((1000 * u) / Math.sqrt(3))).toBeGreaterThan(0.95);
  expect(first.rms / ((1000 * u) / Math.sqrt(3))).toBeLessThan(1.05);
  const last = values.get(graph.outputs[0]!)!;
  expect(last.rms / ((1000 * u * Math.SQRT2) / Math.sqrt(3))).toBeGreaterThan(0.95);
  expect(last.rms / ((1000 * u * Math.SQRT2) / Math.sqrt(3))).toBeLessThan(1.05);
  expect(last.largest).toBeGreaterThan(1.5 * last.rms);
  expect(last.degrees).toBeGreaterThan(20);
});

test("numbers that were broadcast keep one error, and are worth one", () => {
  const m = module(
    "  %e = exp %x : f32[1, 1]\n  %y = broadcast %e {shape = [1, 400]} : f32[1, 400]\n  %z = mul %y, %y : f32[1, 400]\n  return z = %z\n",
    "%x: f32[1, 1]",
  );
  const graph = m.graphs[0]!;
  const { values } = predict(m, graph, [tensor("f32", [1, 1], Float64Array.of(0.3))], { accuracy });
  expect(values.get(graph.ops[1]!.results[0]!)!.degrees).toBeCloseTo(1, 9);
  expect(values.get(graph.outputs[0]!)!.degrees).toBeCloseTo(1, 9);
});

test("what only moves numbers predicts no error, and exact weights none", () => {
  const m = module(
    '  %w = weight {name = "w", shape = [400]} : f32[400]\n  %m = maximum %x, %w : f32[400]\n  %y = reshape %m {shape = [20, 20]} : f32[20, 20]\n  return y = %y\n',
    "%x: f32[400]",
    { w: randomTensor(2, [400]) },
  );
  const { values } = predict(m, m.graphs[0]!, [randomTensor(1, [400])], { accuracy });
  expect([...values.values()].map(({ rms, largest }) => [rms, largest])).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
});

test("weights that f32 does not hold round once", () => {
  const third = tensor(
    "f32",
    [400],
    new Float64Array(400).map((_, i) => (i + 1) / 3),
  );
  const m = module('  %w = weight {name = "w", shape = [400]} : f32[400]\n  return w = %w\n', "%x: f32[1]", {
    w: third,
  });
  const { values } = predict(m, m.graphs[0]!, [tensor("f32", [1])], { accuracy });
  // rms of i/3 u xi over i = 1..400, where every third number is whole and does not round.
  const rms = (u * Math.sqrt(((2 / 3) * (400 * 401 * 801)) / 6 / 400 / 9)) / Math.sqrt(3);
  expect(values.get(m.graphs[0]!.outputs[0]!)!.rms / rms).toBeGreaterThan(0.9);
  expect(values.get(m.graphs[0]!.outputs[0]!)!.rms / rms).toBeLessThan(1.1);
});

test("the same seed predicts the same", () => {
  const m = module("  %y = tanh %x : f32[400]\n  return y = %y\n");
  const of = (seed: number) =>
    predict(m, m.graphs[0]!, [randomTensor(1, [400])], { accuracy, seed }).values.get(
      m.graphs[0]!.outputs[0]!,
    );
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(2));
});

test("a target's functions enter as its table says", () => {
  const error = (name: string, x: number, target = accuracy): number => {
    const m = module(`  %y = ${name} %x : f32[1]\n  return y = %y\n`, "%x: f32[1]");
    const input = tensor("f32", [1], Float64Array.of(x));
    return localError(m.graphs[0]!.ops[0]!, [input], evaluate(m, "g", [input]), target)[0]![0]! / u;
  };
  expect(error("exp", 2)).toBeCloseTo(Math.exp(2), 12);
  // 3 + 2 |x| ULP, and an ULP is at most 2 u |y|.
  expect(error("exp", 2, wgsl)).toBeCloseTo((6 + 4 * 2) * Math.exp(2), 9);
  expect(error("sin", 1, wgsl)).toBe(2 ** 13);
  // ONNX Runtime's sigmoid is 0 far to the left: an absolute error, times x in silu.
  expect(error("sigmoid", -30, onnxRuntimeCpu)).toBeCloseTo(3, 9);
  expect(error("silu", -30, onnxRuntimeCpu)).toBeCloseTo(90, 6);
});

const nested = parseModule(
  `dim B >= 1

graph @twice(%x: f32[B, 4]) {
  %y = scale %x {factor = 2} : f32[B, 4]
  return y = %y
}

graph @main(%x: f32[B, 4]) {
  %w = weight {name = "w", shape = [4]} : f32[4]
  %k = exp %w : f32[4]
  %a = call %x {graph = "twice"} : f32[B, 4]
  %b = call %a {graph = "twice"} : f32[B, 4]
  %y = mul %b, %k : f32[B, 4]
  return y = %y
}
`,
  { weights: weightsOf({ w: tensor("f32", [4], Float64Array.of(0.1, 1, 0, 2)) }) },
);
const x = tensor("f32", [2, 4], Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8));

test("a flat graph computes the same without calls", () => {
  const flat = flatten(nested, "main");
  expect(flat.ops.map((op) => op.name)).toEqual(["weight", "exp", "scale", "scale", "mul"]);
  const alone = { ...nested, graphs: [flat] };
  expect(verify(alone)).toEqual([]);
  expect(evaluate(alone, "main", [x])).toEqual(evaluate(nested, "main", [x]));
});

test("isolated: every operand that depends on an input becomes one, constants stay and are rounded", () => {
  const flat = flatten(nested, "main");
  const apart = isolated(nested, flat);
  expect(verify(apart.module)).toEqual([]);
  // %x, and what the two scales give: %k is made of constants alone.
  expect(apart.graph.inputs).toHaveLength(3);
  expect(apart.graph.inputs[0]).toBe(flat.inputs[0]);
  expect(apart.module.weights.read("w").data[0]).toBe(Math.fround(0.1));
  expect(apart.graph.outputs).toHaveLength(4);
  expect(new Set(apart.graph.outputNames).size).toBe(4);
  // Each op sees only what it is fed: ones into the second scale and the product.
  const ones = tensor("f32", [2, 4], new Float64Array(8).fill(1));
  const [k, a, b, y] = evaluate(apart.module, "main", [x, ones, ones]);
  expect([...a!.data]).toEqual([...x.data].map((v) => 2 * v));
  expect([...b!.data]).toEqual(new Array(8).fill(2));
  expect([...y!.data].slice(0, 4)).toEqual([...k!.data]);
});

test("cumulative: the graph as it is, with every value shown", () => {
  const open = cumulative(nested, flatten(nested, "main"));
  expect(verify(open.module)).toEqual([]);
  expect(open.graph.inputs).toHaveLength(1);
  expect(evaluate(open.module, "main", [x]).at(-1)).toEqual(evaluate(nested, "main", [x])[0]);
});
