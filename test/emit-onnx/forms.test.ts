// The forms that lowerings choose: rewrites of finished nodes, half precision, formulas the runtime fuses, the
// proof of profile `cuda`, and what --min-ort changes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { attr } from "../../src/emit-onnx/attributes.js";
import type { BuiltGraph } from "../../src/emit-onnx/built-graph.js";
import { limitsFor } from "../../src/emit-onnx/capability/opsets.js";
import { proveKernels } from "../../src/emit-onnx/cuda-proof.js";
import { emitOnnx } from "../../src/emit-onnx/emit.js";
import { GraphBuilder } from "../../src/emit-onnx/graph-builder.js";
import { decodeModel } from "../../src/emit-onnx/proto/read.js";
import { onnxText } from "../../src/emit-onnx/text.js";
import { weightPool } from "../../src/emit-onnx/weight-pool.js";
import { Builder } from "../../src/ir/build.js";
import { Dim, dim } from "../../src/ir/dim.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { type Module, noWeights } from "../../src/ir/graph.js";
import { type } from "../../src/ir/type.js";
import { DlmcError, Report } from "../../src/support/diagnostic.js";
import { decodeHalf, encodeHalf } from "../../src/support/half.js";
import { distance, emitOptions, evaluateSingle, numbers, runOnOrt, tolerance, withBundle } from "./ort.js";
import { toyModel } from "./toy.js";

test("slices of one value become one Split, a bias after a turned Conv goes into it", async () => {
  const b = new Builder("mixer");
  const x = b.input("x", type("f32", [Dim.symbol("B"), 7, 6]));
  const y = b.at("/mixer", () => {
    const conv = b.emit("long_conv", { x, k: b.weight("k", [dim(3), dim(6)]) }, { lag0: 0 });
    const projected = b.emit("add", { a: conv, b: b.weight("bias", [dim(6)]) }, {});
    const part = (start: number) =>
      b.emit("slice", { x: projected }, { axis: 2, start: dim(start), length: dim(2) });
    const [last, first] = [part(4), part(0)];
    const overlapping = b.emit("slice", { x }, { axis: 1, start: dim(0), length: dim(5) });
    const other = b.emit("slice", { x }, { axis: 1, start: dim(3), length: dim(4) });
    const rest = b.emit("concat", { xs: [overlapping, other] }, { axis: 1 });
    const gated = b.emit("mul", { a: last, b: first }, {});
    // Read twice: the Add stays.
    const shared = b.emit("long_conv", { x, k: b.weight("k", [dim(3), dim(6)]) }, { lag0: 1 });
    const raised = b.emit("add", { a: shared, b: b.weight("bias", [dim(6)]) }, {});
    // Slices of less than half of x stay slices: a Split would copy the rest for nothing.
    const ends = [0, 6].map((start) =>
      b.emit("slice", { x: raised }, { axis: 1, start: dim(start), length: dim(1) }),
    );
    const edges = b.emit("concat", { xs: ends }, { axis: 1 });
    // Turned another way, the channels are last but the bias still belongs to Conv's second axis: the Add stays.
    const lines = b.emit("transpose", { x }, { permutation: [0, 2, 1] });
    const filtered = b.emit(
      "depthwise_conv",
      { x: lines, k: b.emit("transpose", { x: b.weight("k", [dim(3), dim(6)]) }, { permutation: [1, 0] }) },
      { before: 1, after: 1 },
    );
    const outer = b.emit("transpose", { x: filtered }, { permutation: [2, 0, 1] });
    const turned = b.emit("add", { a: outer, b: b.weight("bias", [dim(6)]) }, {});
    return b.finish({ y: gated, rest, shared, raised, edges, turned });
  });
  const weights = {
    has: () => true,
    read: (name: string) => numbers(name.length, name === "k" ? [3, 6] : [6]),
  };
  const module: Module = { dims: new Map(), graphs: [y], weights };
  const { model } = emitOnnx([{ module }], emitOptions).graphs[0]!;
  await expect(onnxText(model)).toMatchFileSnapshot("goldens/peephole.txt");
  const input = numbers(3, [2, 7, 6]);
  const [exact, single] = [evaluate(module, "mixer", [input]), evaluateSingle(module, "mixer", [input])];
  const actual = await runOnOrt(module, "mixer", [input]);
  for (const i of [0, 2, 3, 4, 5])
    expect(distance(actual[i]!, exact[i]!)).toBeLessThan(tolerance(exact[i]!, single[i]!));
  expect(actual[1]).toEqual(exact[1]);
});

/** A module of one graph with one op. */
function lone(
  op: string,
  inputs: readonly { element: "f32" | "i32" | "bool"; shape: (number | Dim)[] }[],
  attributes = {},
): Module {
  const b = new Builder("mixer");
  const operands = inputs.map((t, i) => b.input(`in${i}`, type(t.element, t.shape)));
  const [y] = b.emitList(op, operands, attributes, [], { pointer: "/blocks/mixer", via: [] });
  return { dims: new Map(), graphs: [b.finish({ y: y! })], weights: noWeights };
}

const diagnosticsOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof DlmcError) return { exit: error.exitCode, found: error.diagnostics };
    throw error;
  }
  return undefined;
};

describe("profile cuda", () => {
  test("the toy model and its loop are proved", () => {
    for (const profile of ["cuda", "cpu"] as const)
      expect(
        diagnosticsOf(() => emitOnnx([{ module: toyModel() }], { ...emitOptions, profile, sample: true })),
      ).toBeUndefined();
  });

  test("a node without a kernel is refused with its place", () => {
    const padded = lone("pad", [{ element: "i32", shape: [3, 4] }], {
      axis: 1,
      before: dim(1),
      after: dim(0),
    });
    const emit = (profile: "standard" | "cpu" | "cuda") =>
      diagnosticsOf(() => emitOnnx([{ module: padded }], { ...emitOptions, profile }));
    expect(emit("standard")).toBeUndefined();
    expect(emit("cpu")).toBeUndefined();
    expect(emit("cuda")?.exit).toBe(3);
    expect(emit("cuda")?.found).toMatchObject([
      {
        code: "onnx/no-cuda-kernel",
        pointer: "/blocks/mixer",
        message: expect.stringContaining("Pad(int64, int64)"),
      },
    ]);
  });
});

test("half precision: constants, weights and every kind of arithmetic", async () => {
  const b = new Builder("mixer");
  const x = b.input("x", type("f32", [Dim.symbol("B"), 5, 8]));
  const half = (name: string, shape: number[]) =>
    b.emit("weight", {}, { name, shape: shape.map(dim), element: "f16" });
  const h = b.emit("cast", { x }, { to: "f16" });
  const n = b.emit("layer_norm", { x: h, weight: half("norm", [8]) }, { epsilon: 1e-5 });
  const q = b.emit("linear", { x: n, weight: half("qkv", [24, 8]), bias: half("bias", [24]) }, {});
  const part = (start: number) => b.emit("slice", { x: q }, { axis: 2, start: dim(start), length: dim(8) });
  const attended = b.emit(
    "attention",
    { q: part(0), k: part(8), v: part(16) },
    { heads: 2, kv_heads: 2, scale: 0.5, mask: "causal" },
  );
  const mixed = b.emit("long_conv", { x: attended, k: half("taps", [3, 8]) }, { lag0: 1 });
  const gelu = b.emit("gelu", { x: mixed }, {});
  const normal = b.emit(
    "rms_norm",
    { x: b.emit("scale", { x: gelu }, { factor: 2, offset: 0.5 }) },
    { epsilon: 1e-5 },
  );
  const y = b.emit("cast", { x: normal }, { to: "f32" });
  // Half-float weights hold what a half float holds.
  const read = (name: string) => {
    const t = numbers(
      name.length,
      name === "qkv" ? [24, 8] : name === "taps" ? [3, 8] : [name === "bias" ? 24 : 8],
    );
    return { ...t, data: t.data.map((v) => decodeHalf(encodeHalf(v))) };
  };
  const module: Module = { dims: new Map(), graphs: [b.finish({ y })], weights: { has: () => true, read } };
  const input = numbers(3, [2, 5, 8]);
  const [exact] = evaluate(module, "mixer", [input]);
  const [rounded] = evaluate(module, "mixer", [input], {
    observe: (_op, _operands, results) =>
      results.map((r) =>
        r.element === "f16" ? { ...r, data: r.data.map((v) => decodeHalf(encodeHalf(v))) } : r,
      ),
  });
  const stray = distance(rounded!, exact!);
  expect(stray).toBeGreaterThan(2 ** -13);
  for (const profile of ["standard", "cpu"] as const) {
    const [actual] = await runOnOrt(module, "mixer", [input], { minOrt: "1.30", profile });
    expect(distance(actual!, exact!)).toBeLessThan(8 * stray);
  }
});

test("ONNX Runtime fuses the portable formulas", async () => {
  const b = new Builder("mixer");
  const x = b.input("x", type("f32", [2, 16]));
  const exact = b.emit("gelu", { x }, {});
  const approximate = b.emit("gelu", { x: exact }, { approximate: "tanh" });
  const y = b.emit("rms_norm", { x: approximate, weight: b.weight("w", [dim(16)]) }, { epsilon: 1e-6 });
  const weights = { has: () => true, read: () => numbers(1, [16]) };
  const module: Module = { dims: new Map(), graphs: [b.finish({ y })], weights };
  await withBundle(module, {}, async (directory) => {
    const optimizedModelFilePath = join(directory, "optimised.onnx");
    const options = { executionProviders: ["cpu"], optimizedModelFilePath, logSeverityLevel: 3 } as const;
    await (await ort.InferenceSession.create(join(directory, "mixer.onnx"), options)).release();
    const nodes = decodeModel(readFileSync(optimizedModelFilePath)).graph.node.map((n) => n.opType);
    expect(nodes).toEqual(["Gelu", "FastGelu", "SimplifiedLayerNormalization"]);
  });
});

describe("proofs", () => {
  const limits = limitsFor("1.18");
  const real = { element: "float", shape: [dim(4)] } as const;
  const codes = (graph: BuiltGraph, provider: "cpu" | "cuda") => {
    const report = new Report();
    proveKernels(graph, provider, report);
    return report.diagnostics.map((d) => d.code);
  };

  test("a contrib operator of CUDA is none of the CPU's", () => {
    const b = GraphBuilder.create("mixer", limits, weightPool().scope(""));
    const x = b.input("x", real);
    const y = b.node("Rfft", [x], real, { signal_ndim: attr.int(1) }, "com.microsoft");
    const graph = b.finish([{ name: "y", value: y }]);
    expect(codes(graph, "cpu")).toEqual(["onnx/no-cpu-kernel"]);
    expect(codes(graph, "cuda")).toEqual([]);
  });

  test("loop bodies are part of the proof", () => {
    const b = GraphBuilder.create("sample", limits, weightPool().scope(""));
    const x = b.input("x", real);
    const inner = b.subgraph("body");
    inner.input("i", { element: "int64", shape: [] });
    const go = inner.input("go", { element: "bool", shape: [] });
    const state = inner.input("state", real);
    const spectrum = inner.node("DFT", [state], real);
    const body = inner.finish([
      { name: "go_on", value: go },
      { name: "next", value: spectrum },
    ]);
    const count = b.literal("int64", [], [3]);
    const y = b.node("Loop", [count, undefined, x], real, { body: attr.graph(body) });
    expect(codes(b.finish([{ name: "y", value: y }]), "cuda")).toEqual(["onnx/no-cuda-kernel"]);
  });
});

describe("--min-ort", () => {
  const ops = (minOrt: string, profile: "standard" | "cpu" = "cpu") => {
    const { graphs } = emitOnnx([{ module: toyModel() }], { ...emitOptions, minOrt, profile });
    const { model } = graphs[0]!;
    return { ir: model.irVersion, opset: model.opsetImport[0]!.version, nodes: model.graph.node };
  };

  test("an old runtime gets formulas, old versions and no node metadata", () => {
    const { ir, opset, nodes } = ops("1.14.1");
    expect([ir, opset]).toEqual([8, 18]);
    expect(nodes.map((n) => n.opType)).toContain("Erf");
    expect(nodes.every((n) => n.metadataProps === undefined)).toBe(true);
  });

  test("the least opset that is needed is taken, not the newest", () => {
    const { ir, opset, nodes } = ops("1.30");
    expect([ir, opset]).toEqual([10, 20]);
    expect(nodes.find((n) => n.opType === "Gelu")!.metadataProps).toEqual([
      { key: "dlmc.pointer", value: "/blocks/layers/0/ffn" },
    ]);
  });

  test("a file for every provider keeps the definitions that every provider has", () => {
    expect([ops("1.30", "standard").ir, ops("1.30", "standard").opset]).toEqual([10, 18]);
  });

  test("RMSNormalization is used where it exists", () => {
    const rms = lone("rms_norm", [{ element: "f32", shape: [3, 4] }], { epsilon: 1e-6 });
    const types = (minOrt: string) =>
      emitOnnx([{ module: rms }], { ...emitOptions, minOrt, profile: "cpu" }).graphs[0]!.model.graph.node.map(
        (n) => n.opType,
      );
    expect(types("1.23")).toEqual(["RMSNormalization"]);
    expect(types("1.22")).toEqual(["Pow", "ReduceMean", "Add", "Sqrt", "Div"]);
  });

  test.each([["1.2"], ["newest"], ["0.5.1"]])("%s is refused", (minOrt) => {
    const problem = diagnosticsOf(() => emitOnnx([{ module: toyModel() }], { ...emitOptions, minOrt }));
    expect(problem?.exit).toBe(2);
    expect(problem?.found[0]?.code).toBe("onnx/min-ort");
  });
});

test("many slices become Splits of at most seven parts, the buffers of any WebGPU device", async () => {
  const b = new Builder("mixer");
  const x = b.input("x", type("f32", [Dim.symbol("B"), 37]));
  const part = (start: number) => b.emit("slice", { x }, { axis: 1, start: dim(start), length: dim(1) });
  // Backwards, and without two columns that nobody reads.
  const columns = Array.from({ length: 37 }, (_, i) => 36 - i).filter((i) => i !== 5 && i !== 20);
  const y = b.emit("concat", { xs: columns.map(part) }, { axis: 1 });
  const module: Module = { dims: new Map(), graphs: [b.finish({ y })], weights: noWeights };
  const { model } = emitOnnx([{ module }], emitOptions).graphs[0]!;
  const splits = model.graph.node.filter(({ opType }) => opType === "Split");
  expect(splits.map(({ output }) => output.length)).toEqual([7, 6, 6, 6, 6, 6, 6]);
  expect(model.graph.node.some(({ opType }) => opType === "Slice")).toBe(false);
  const input = numbers(3, [2, 37]);
  expect(await runOnOrt(module, "mixer", [input])).toEqual(evaluate(module, "mixer", [input]));
});
