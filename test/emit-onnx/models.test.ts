// The descriptions of test/description/models through the whole compiler: every node has a CUDA kernel, sessions
// open without a word, and the sampling loop with its time table agrees with the module before any pass.
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { type Built as BuiltForAny, build } from "../../src/api/compile.js";
import { type OnnxBundle, writeOnnxBundle } from "../../src/emit-onnx/emit.js";
import { type EvaluateOptions, evaluate } from "../../src/ir/evaluate.js";
import type { Graph } from "../../src/ir/graph.js";
import { count, type Tensor, tensor } from "../../src/ir/tensor.js";
import { fromOrt, numbers, toOrt } from "./ort.js";

/** Whole models have a loop to write too. */
const whole = ["diffusion-lm", "langflow"];
const models = ["hyena", "m2-mixer", "m2-layer", ...whole];

type Built = Omit<BuiltForAny, "bundle"> & { readonly bundle: OnnxBundle };

const compiled = (name: string): Built => {
  const built = build({
    target: "onnx",
    model: new URL(`../description/models/${name}.json`, import.meta.url).pathname,
    synthetic: 1,
    profile: "cuda",
    sample: whole.includes(name),
  });
  if (built.bundle.target !== "onnx") throw new Error("built for another target");
  return { ...built, bundle: built.bundle.files };
};

async function written<T>(built: Built, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-models-"));
  try {
    writeOnnxBundle(built.bundle, (name) => {
      const file = openSync(join(directory, name), "w");
      return { write: (bytes) => void writeSync(file, bytes), close: () => closeSync(file) };
    });
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const openAll = `
  import * as ort from "onnxruntime-node";
  for (const file of process.argv.slice(1)) {
    const session = await ort.InferenceSession.create(file, { executionProviders: ["cpu"], logSeverityLevel: 2 });
    await session.release();
  }`;

test.each(models)("%s: a CUDA kernel for every node, and silent sessions", async (name) => {
  const built = compiled(name);
  for (const { fallbacks } of built.bundle.graphs) expect(fallbacks.cuda).toEqual([]);
  await written(built, async (directory) => {
    const files = built.bundle.graphs.map((graph) => join(directory, graph.file));
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", openAll, ...files], {
      encoding: "utf8",
    });
    expect([child.stdout, child.stderr, child.status]).toEqual(["", "", 0]);
  });
});

const steps = 3;

/** Per-step inputs of @step before the passes, and what the loop makes of them. */
function hostLoop(built: Built, options: EvaluateOptions) {
  const { module } = built.models[0]!;
  const step = module.graphs.find((graph) => graph.name === "step") as Graph;
  const sizes = new Map([["B", 2]]);
  const shapeOf = (i: number) => step.inputs[i]!.type.shape.map((extent) => extent.evaluate(sizes));
  const fed = step.inputs.map((value, i) =>
    Array.from({ length: steps }, (_, t) =>
      numbers(100 * i + (/^fixed|^x$/.test(value.hint!) ? 0 : t), shapeOf(i), value.type.element),
    ),
  );
  let x = fed[0]![0]!;
  let x0 = tensor("f32", x.shape);
  let tokens: Tensor | undefined;
  for (let t = 0; t < steps; t++) {
    const given = step.inputs.map(({ hint }, i) =>
      hint === "x" ? x : hint === "self_cond" || hint === "x0_prev" ? x0 : fed[i]![t]!,
    );
    const results = evaluate(module, "step", given, options);
    [x, x0, tokens] = ["x_next", "x0", "tokens"].map((name) => results[step.outputNames.indexOf(name)]!) as [
      Tensor,
      Tensor,
      Tensor,
    ];
  }
  return { names: step.inputs.map((value) => value.hint!), fed, x, x0, tokens: tokens! };
}

function stack(parts: readonly Tensor[]): Tensor {
  const { element, shape } = parts[0]!;
  const data = Float64Array.from(parts.flatMap((part) => [...part.data]));
  return tensor(element, count(shape) === 1 ? [parts.length] : [parts.length, ...shape], data);
}

test("langflow: sample.onnx agrees with the module before the passes", async () => {
  const built = compiled("langflow");
  const exact = hostLoop(built, {});
  const single = hostLoop(built, {
    observe: (_op, _operands, results) => results.map((r) => ({ ...r, data: r.data.map(Math.fround) })),
  });
  await written(built, async (directory) => {
    const session = await ort.InferenceSession.create(join(directory, "sample.onnx"));
    expect(session.inputNames).toContain("level");
    const feeds = session.inputNames.map((name) => {
      const parts = exact.fed[exact.names.indexOf(name)]!;
      return [name, toOrt(/^fixed|^x$/.test(name) ? parts[0]! : stack(parts))] as const;
    });
    const results = await session.run(Object.fromEntries(feeds));
    await session.release();
    // f32 arithmetic in another order strays by as much as the rounded evaluation does, up to a small factor.
    for (const [name, want, rounded] of [
      ["x_last", exact.x, single.x],
      ["x0", exact.x0, single.x0],
    ] as const) {
      const got = fromOrt(results[name]!, "f32");
      const stray = Math.max(2 ** -24, ...want.data.map((v, i) => Math.abs(v - rounded.data[i]!)));
      const error = Math.max(...want.data.map((v, i) => Math.abs(v - got.data[i]!)));
      expect(error).toBeLessThan(8 * stray);
    }
    expect(fromOrt(results.tokens!, "i32")).toEqual(exact.tokens);
  });
});
