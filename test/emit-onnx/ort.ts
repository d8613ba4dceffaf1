// Runs emitted graphs on ONNX Runtime's CPU provider and compares them with the float64 evaluator.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { expect } from "vitest";
import { type EmitOnnxOptions, emitOnnx, writeOnnxBundle } from "../../src/emit-onnx/emit.js";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Module } from "../../src/ir/graph.js";
import { type AccurateFunction, operandRecord } from "../../src/ir/op.js";
import { definitionOf } from "../../src/ir/ops/index.js";
import { count, type Element, type Tensor, tensor } from "../../src/ir/tensor.js";

export const emitOptions: EmitOnnxOptions = { version: "0.0.0-test" };

/** Writes a module's bundle to a new directory, hands it to `use`, removes it. */
export async function withBundle<T>(
  module: Module,
  options: Partial<EmitOnnxOptions>,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-onnx-"));
  try {
    writeOnnxBundle(emitOnnx([{ module }], { ...emitOptions, ...options }), (name) => {
      const file = openSync(join(directory, name), "w");
      return { write: (bytes) => void writeSync(file, bytes), close: () => closeSync(file) };
    });
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export function toOrt(t: Tensor): ort.Tensor {
  const dims = [...t.shape, ...(t.element === "c64" ? [2] : [])];
  if (t.element === "i32")
    return new ort.Tensor(
      "int64",
      BigInt64Array.from(t.data, (v) => BigInt(v)),
      dims,
    );
  if (t.element === "bool") return new ort.Tensor("bool", Uint8Array.from(t.data), dims);
  return new ort.Tensor("float32", Float32Array.from(t.data), dims);
}

export function fromOrt(t: ort.Tensor, element: Element): Tensor {
  const data = Float64Array.from(t.data as ArrayLike<number | bigint>, Number);
  return tensor(element, element === "c64" ? t.dims.slice(0, -1) : t.dims, data);
}

/** Results of one graph on ONNX Runtime CPU, in the order of the graph's outputs. */
export async function runOnOrt(
  module: Module,
  name: string,
  inputs: readonly Tensor[],
  options: Partial<EmitOnnxOptions> = {},
): Promise<Tensor[]> {
  const graph = module.graphs.find((g) => g.name === name)!;
  return withBundle(module, options, async (directory) => {
    const session = await ort.InferenceSession.create(join(directory, `${name}.onnx`), {
      executionProviders: ["cpu"],
      intraOpNumThreads: 1,
    });
    const feeds = Object.fromEntries(session.inputNames.map((input, i) => [input, toOrt(inputs[i]!)]));
    const results = await session.run(feeds);
    await session.release();
    return graph.outputs.map((value, i) => fromOrt(results[graph.outputNames[i]!]!, value.type.element));
  });
}

/** Error of MLAS's functions in units of the last place, as its sources state or bound them. */
const ulps: Readonly<Record<AccurateFunction, number>> = {
  exp: 2,
  log: 2,
  sqrt: 1,
  rsqrt: 2,
  div: 1,
  tanh: 4,
  sigmoid: 4,
  erf: 4,
  sin: 2,
  cos: 2,
  pow: 4,
};

/**
 * Runs @test both ways. The bound of an output number is the sum of the rounding models of the graph's ops at
 * that position's scale: valid for graphs of one computing op, which is what the op tests use. The models give
 * the size of random roundings (one standard deviation), hence the factor 6; one more unit stores the result.
 */
export async function expectAgreement(
  module: Module,
  inputs: readonly Tensor[],
  options: Partial<EmitOnnxOptions> = {},
): Promise<void> {
  const u = 2 ** -24;
  let bounds: readonly Float64Array[] = [];
  const expected = evaluate(module, "test", inputs, {
    observe(op, operands, results) {
      const definition = definitionOf(op.name)!;
      if (definition.fusion === "constant") return undefined;
      const record = operandRecord(definition.operands, operands);
      bounds = definition.rounding(record as never, results, op.attributes as never, {
        ulps: (f) => ulps[f],
      });
      return undefined;
    },
  });
  const actual = await runOnOrt(module, "test", inputs, options);
  expected.forEach((want, i) => {
    expect(actual[i]!.shape).toEqual(want.shape);
    want.data.forEach((y, at) => {
      const error = Math.abs(actual[i]!.data[at]! - y);
      const bound = u * (6 * (bounds[i]?.[at] ?? 0) + Math.abs(y)) + 2 ** -140;
      if (!(error <= bound))
        expect.fail(
          `output ${i}[${at}]: ${actual[i]!.data[at]} where ${y} is right; error ${error}, bound ${bound}`,
        );
    });
  });
}

/** Reproducible numbers in (-1, 1), already rounded to f32; enough for tests, no promise of quality. */
export function numbers(seed: number, shape: readonly number[], element: Element = "f32", range = 1): Tensor {
  let state = (seed * 2654435761 + 12345) >>> 0;
  const out = tensor(element, shape);
  for (let i = 0; i < count(shape) * (element === "c64" ? 2 : 1); i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const unit = state / 2 ** 31 - 1;
    if (element === "bool") out.data[i] = unit > 0 ? 1 : 0;
    else if (element === "i32") out.data[i] = Math.floor(((unit + 1) / 2) * range);
    else out.data[i] = Math.fround(unit * range);
  }
  return out;
}

/** The module evaluated with every result rounded to f32: how far honest f32 arithmetic strays from float64. */
export function evaluateSingle(module: Module, name: string, inputs: readonly Tensor[]): readonly Tensor[] {
  return evaluate(module, name, inputs, {
    observe: (_op, _operands, results) => results.map((r) => ({ ...r, data: r.data.map(Math.fround) })),
  });
}

/** Largest difference. */
export function distance(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return a.data.reduce((most, v, i) => Math.max(most, Math.abs(v - b.data[i]!)), 0);
}

/**
 * The largest number is near 1 and some 40 roundings lie on the longest path, so f32 strays by some units of
 * 2^-24; the runtime sums in other orders than the rounded evaluation, hence a factor over its measured error.
 */
export const tolerance = (exact: Tensor, single: Tensor): number =>
  8 * Math.max(distance(exact, single), 2 ** -24);
