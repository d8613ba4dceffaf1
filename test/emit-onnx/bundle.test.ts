// A whole toy model: files, manifest, one weight file for several lengths, the sampling loop as one graph,
// sessions without warnings, the CUDA proof, and what --min-ort changes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { emitOnnx, writeOnnxBundle } from "../../src/emit-onnx/emit.js";
import { decodeModel } from "../../src/emit-onnx/proto/read.js";
import { onnxText } from "../../src/emit-onnx/text.js";
import { Builder } from "../../src/ir/build.js";
import { Dim, dim } from "../../src/ir/dim.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { type Module, noWeights } from "../../src/ir/graph.js";
import { count, type Tensor, tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";
import { DlmcError } from "../../src/support/diagnostic.js";
import { decodeHalf, encodeHalf } from "../../src/support/half.js";
import { emitOptions, fromOrt, numbers, runOnOrt, toOrt, withBundle } from "./ort.js";
import { toyModel, toyVocabulary, toyWidth } from "./toy.js";

const [batch, length, steps] = [2, 5, 3];
const latent = [batch, length, toyWidth];

/** The module evaluated with every result rounded to f32: how far honest f32 arithmetic strays from float64. */
function evaluateSingle(module: Module, name: string, inputs: readonly Tensor[]): readonly Tensor[] {
  return evaluate(module, name, inputs, {
    observe: (_op, _operands, results) => results.map((r) => ({ ...r, data: r.data.map(Math.fround) })),
  });
}

/** Largest difference. */
function distance(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return a.data.reduce((most, v, i) => Math.max(most, Math.abs(v - b.data[i]!)), 0);
}

/**
 * The largest number is near 1 and some 40 roundings lie on the longest path, so f32 strays by some units of
 * 2^-24; the runtime sums in other orders than the rounded evaluation, hence a factor over its measured error.
 */
const tolerance = (exact: Tensor, single: Tensor): number => 8 * Math.max(distance(exact, single), 2 ** -24);

const stepInputs: readonly Tensor[] = [
  numbers(1, latent),
  numbers(2, latent),
  tensor("f32", [4], Float64Array.of(0.5, 0.25, 0.125, 0.75)),
  tensor("f32", [1], Float64Array.of(0.375)),
  numbers(3, [batch, length], "bool"),
  numbers(4, latent),
  numbers(5, latent),
];

test("one step on ONNX Runtime agrees with float64", async () => {
  const module = toyModel(length);
  const exact = evaluate(module, "step", stepInputs);
  const single = evaluateSingle(module, "step", stepInputs);
  const actual = await runOnOrt(module, "step", stepInputs);
  for (const i of [0, 1])
    expect(distance(actual[i]!, exact[i]!)).toBeLessThan(tolerance(exact[i]!, single[i]!));
  expect(actual[2]).toEqual(exact[2]);
});

const rows = Array.from({ length: steps }, (_, t) => [0.5 + t / 8, 0.25, 0.125, t === steps - 1 ? 0 : 0.75]);

function stack(parts: readonly Tensor[]): Tensor {
  const data = new Float64Array(parts.length * count(parts[0]!.shape));
  parts.forEach((p, i) => {
    data.set(p.data, i * p.data.length);
  });
  return tensor("f32", [parts.length, ...parts[0]!.shape], data);
}

test("sample.onnx runs the loop that the host would run", async () => {
  const module = toyModel(length);
  const [x, , , , mask, fixedX] = stepInputs as readonly [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const noise = rows.map((_, t) => numbers(20 + t, latent));
  const coefficients = rows.map((row) => tensor("f32", [4], Float64Array.from(row)));
  const levels = rows.map((_, t) => tensor("f32", [1], Float64Array.of(1 - t / 4)));
  const hostLoop = (run: typeof evaluate): readonly Tensor[] => {
    let state: readonly Tensor[] = [x, tensor("f32", latent), tensor("i32", [batch, length])];
    for (let t = 0; t < steps; t++)
      state = run(module, "step", [
        state[0]!,
        noise[t]!,
        coefficients[t]!,
        levels[t]!,
        mask,
        fixedX,
        state[1]!,
      ]);
    return state;
  };
  const exact = hostLoop(evaluate);
  const single = hostLoop(evaluateSingle);
  await withBundle(module, { sample: true }, async (directory) => {
    const session = await ort.InferenceSession.create(join(directory, "sample.onnx"));
    expect(session.inputNames).toEqual(["x", "noise", "coefficients", "level", "fixed_mask", "fixed_x"]);
    const feeds = {
      x,
      noise: stack(noise),
      coefficients: stack(coefficients),
      level: tensor(
        "f32",
        [steps],
        Float64Array.from(levels, (t) => t.data[0]!),
      ),
      fixed_mask: mask,
      fixed_x: fixedX,
    };
    const results = await session.run(
      Object.fromEntries(Object.entries(feeds).map(([k, v]) => [k, toOrt(v)])),
    );
    await session.release();
    const [last, x0] = ["x_last", "x0"].map((name) => fromOrt(results[name]!, "f32")) as [Tensor, Tensor];
    expect(distance(last, exact[0]!)).toBeLessThan(tolerance(exact[0]!, single[0]!));
    expect(distance(x0, exact[1]!)).toBeLessThan(tolerance(exact[1]!, single[1]!));
    expect(fromOrt(results.tokens!, "i32")).toEqual(exact[2]);
  });
});

test("sessions open without a word from the runtime", async () => {
  await withBundle(toyModel(), { sample: true }, async (directory) => {
    const script = `
      import * as ort from "onnxruntime-node";
      for (const file of process.argv.slice(1)) {
        const session = await ort.InferenceSession.create(file, { executionProviders: ["cpu"], logSeverityLevel: 2 });
        await session.release();
      }`;
    const files = ["denoise", "step", "sample"].map((name) => join(directory, `${name}.onnx`));
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script, ...files], {
      encoding: "utf8",
    });
    expect(child.stderr + child.stdout).toBe("");
    expect(child.status).toBe(0);
  });
});

describe("files and manifest", () => {
  test("the manifest names every file with its hash", async () => {
    const facts = { sampler: { family: "ddpm", steps: 3 } };
    await withBundle(toyModel(), { facts }, async (directory) => {
      const read = (name: string) => readFileSync(join(directory, name));
      const manifest = JSON.parse(read("manifest.json").toString());
      const listed = [
        ...manifest.graphs.map((g: { file: string }) => g.file),
        manifest.weights.file,
        "manifest.json",
      ];
      expect(listed.sort()).toEqual(readdirSync(directory).sort());
      for (const { file, sha256, bytes } of [...manifest.graphs, manifest.weights]) {
        expect(createHash("sha256").update(read(file)).digest("hex")).toBe(sha256);
        expect(read(file).byteLength).toBe(bytes);
      }
      expect(manifest.sampler).toEqual(facts.sampler);
      const denoise = manifest.graphs.find((g: { name: string }) => g.name === "denoise");
      expect(denoise.inputs[0]).toEqual({
        name: "x",
        element: "float",
        shape: ["B", length, toyWidth],
        meaning: "noisy latent x_t",
      });
      expect(denoise.outputs[1].shape).toEqual(["B", length, toyVocabulary]);
    });
  });

  test("several lengths share one weight file", () => {
    const lengths = [3, 5, 16];
    const modules = lengths.map((n) => ({ module: toyModel(n), length: n }));
    const bundle = emitOnnx(modules, emitOptions);
    expect(bundle.graphs.map((g) => g.file)).toEqual(
      lengths.flatMap((n) => [`denoise.L${n}.onnx`, `step.L${n}.onnx`]),
    );
    const single = emitOnnx([{ module: toyModel(3), length: 3 }], emitOptions);
    expect(single.graphs.map((g) => g.file)).toEqual(["denoise.onnx", "step.onnx"]);
    expect(bundle.weights.layout).toEqual(single.weights.layout);
  });

  test("constants of one name and other numbers are kept apart", () => {
    const of = (value: number): Module => {
      const b = new Builder("mixer");
      const x = b.input("x", type("f32", [300]));
      const y = b.emit("add", { a: x, b: b.weight("table", [dim(300)]) }, {});
      const weights = {
        has: () => true,
        read: () => tensor("f32", [300], new Float64Array(300).fill(value)),
      };
      return { dims: new Map(), graphs: [b.finish({ y })], weights };
    };
    const names = (values: readonly number[]) =>
      emitOnnx(
        values.map((v, i) => ({ module: of(v), length: i + 1 })),
        emitOptions,
      ).weights.layout.tensors.map((t) => t.name);
    expect(names([1, 1])).toEqual(["table"]);
    expect(names([1, 2])).toEqual(["table", "table.L2"]);
  });

  test("a weight that nothing needs is not stored", () => {
    const b = new Builder("mixer");
    const x = b.input("x", type("f32", [3]));
    b.emit("add", { a: x, b: b.weight("dead", [dim(3)]) }, {});
    const y = b.emit("add", { a: x, b: b.weight("alive", [dim(3)]) }, {});
    const weights = { has: () => true, read: () => numbers(1, [3]) };
    const module: Module = { dims: new Map(), graphs: [b.finish({ y })], weights };
    expect(emitOnnx([{ module }], emitOptions).weights.layout.tensors.map((t) => t.name)).toEqual(["alive"]);
  });

  test("writing asks for each file once, the manifest last", () => {
    const names: string[] = [];
    writeOnnxBundle(emitOnnx([{ module: toyModel() }], emitOptions), (name) => {
      names.push(name);
      return { write: () => undefined, close: () => undefined };
    });
    expect(names).toEqual(["weights.safetensors", "denoise.onnx", "step.onnx", "manifest.json"]);
  });
});

test("goldens", async () => {
  const bundle = emitOnnx([{ module: toyModel() }], { ...emitOptions, sample: true });
  for (const { name, model } of bundle.graphs)
    await expect(onnxText(model)).toMatchFileSnapshot(`goldens/toy-${name}.txt`);
});

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
    return b.finish({ y: gated, rest, shared, raised });
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
  for (const i of [0, 2, 3])
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
