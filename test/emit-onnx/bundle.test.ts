// A whole toy model: agreement, the sampling loop as one graph, sessions without warnings, files and manifest, one
// weight file for several lengths, goldens.
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
import { dim } from "../../src/ir/dim.js";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Module } from "../../src/ir/graph.js";
import { count, type Tensor, tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";
import {
  distance,
  emitOptions,
  evaluateSingle,
  fromOrt,
  numbers,
  runOnOrt,
  tolerance,
  toOrt,
  withBundle,
} from "./ort.js";
import { toyModel, toyVocabulary, toyWidth } from "./toy.js";

const [batch, length, steps] = [2, 5, 3];
const latent = [batch, length, toyWidth];

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
      const model = decodeModel(read("denoise.onnx"));
      expect(model.graph.input[0]!.docString).toBe("noisy latent x_t");
      expect(model.metadataProps).toEqual([
        { key: "dlmc.graph", value: "denoise" },
        { key: "dlmc.profile", value: "standard" },
      ]);
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
