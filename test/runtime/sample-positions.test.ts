// sample.onnx with levels per position: the table of coefficients is [T, L, 4], that of levels [T, 1, L], and the loop walks
// the states of ancestral sampling written out.
import { rmSync } from "node:fs";
import { join } from "node:path";
import ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { compile } from "../../src/api/compile.js";
import { loadModel } from "../../src/api/load.js";
import { samplerPlan } from "../../src/api/sampler-source.js";
import { normalNoise } from "../../src/diffusion/normal.js";
import { coefficientsOf, levelInputs } from "../../src/diffusion/plan.js";
import { deriveKey } from "../../src/diffusion/rng.js";
import { repeated } from "../../src/diffusion/rows.js";
import { ancestral, bayesModel, cases, dim, embeddings, length } from "./bayes-positions.js";

const draw = (k: number) => normalNoise(deriveKey(5), k, 1, length, dim);

test.each([cases[1], cases[2]])("$name", async ({ change, levels }) => {
  const { model, remove } = bayesModel(change);
  const outDir = `${model}-bundle`;
  try {
    compile({ model, target: "onnx", sample: true, outDir });
    const { rows } = samplerPlan(loadModel({ model }));
    const steps = rows.length;
    const start = draw(0).map((value, i) => {
      const p = Math.floor(i / dim);
      const bar = levels[0]![p]!;
      return Math.sqrt(bar) * embeddings[p]![i % dim]! + Math.sqrt(1 - bar) * value;
    });
    const stacked = (values: (k: number) => ArrayLike<number>, shape: readonly number[]) =>
      new ort.Tensor("float32", Float32Array.from(rows.flatMap((_, k) => Array.from(values(k)))), [
        steps,
        ...shape,
      ]);
    const told = (name: string, k: number) =>
      repeated(levelInputs(rows[k]!, (values) => values)[name]!, length);
    const session = await ort.InferenceSession.create(join(outDir, "sample.onnx"));
    const outputs = await session.run({
      x: new ort.Tensor("float32", start, [1, length, dim]),
      noise: stacked((k) => draw(k + 1), [1, length, dim]),
      coefficients: stacked((k) => repeated(coefficientsOf(rows[k]!), 4 * length), [length, 4]),
      level: stacked((k) => told("level", k), [1, length]),
      fixed_mask: new ort.Tensor("bool", new Uint8Array(length), [1, length]),
      fixed_x: new ort.Tensor("float32", new Float32Array(length * dim), [1, length, dim]),
      prior_scale: stacked((k) => told("prior_scale", k), [1, length]),
    });
    const { states } = ancestral(
      levels,
      (p, c) => start[p * dim + c]!,
      (k, p, c) => draw(k)[p * dim + c]!,
    );
    const wanted = states.at(-1)!.flat();
    const found = outputs.x_last!.data as Float32Array;
    expect(Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!)))).toBeLessThan(2e-4);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
    remove();
  }
});
