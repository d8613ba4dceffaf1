// The table as it is used: scaled and normalised rows by hand, and x0 replaced by the embedding of the best token.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";

const [length, width, vocabulary] = [3, 4, 7];
const directory = mkdtempSync(join(tmpdir(), "dlmc-embedding-"));
afterAll(() => rmSync(directory, { recursive: true }));

function load(embedding: object, head: object): ReturnType<typeof loadModel> {
  const model = join(directory, "model.json");
  const description = {
    version: 1,
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: length },
    embedding: { dim: width, ...embedding },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 3 },
    time_conditioning: { injection: "none" },
    blocks: { mixer: { kind: "attention", heads: 2 } },
    rounding_head: { kind: "linear", tied: true, ...head },
    conditioning: { kind: "none" },
  };
  writeFileSync(model, JSON.stringify(description));
  return loadModel({ model, synthetic: 4 });
}

test.each(["layer", "layer_affine"])("rows scaled, then %s", (normalization) => {
  const { module, store } = load({ scale: 0.5, normalization }, {});
  const ids = [6, 0, 3];
  const [found] = evaluate(module, "embed", [tensor("i32", [1, length], Float64Array.from(ids))]);
  const table = store.read("embedding.table").data;
  const affine = (name: string, otherwise: number) => (c: number) =>
    normalization === "layer" ? otherwise : store.read(`embedding.table_norm.${name}`).data[c]!;
  const [weight, bias] = [affine("weight", 1), affine("bias", 0)];
  ids.forEach((id, i) => {
    const row = [...table.subarray(id * width, (id + 1) * width)].map((v) => v / 2);
    const mean = row.reduce((sum, v) => sum + v, 0) / width;
    const deviation = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width + 1e-5);
    row.forEach((v, c) => {
      const expected = ((v - mean) / deviation) * weight(c) + bias(c);
      expect(found!.data[i * width + c]).toBeCloseTo(expected, 12);
    });
  });
});

test("argmax_embedding: x0 is the embedding of the token with the best logit", () => {
  const { module, store } = load({ scale: 3 }, { clamp: "argmax_embedding" });
  const state = (k: number) =>
    tensor(
      "f32",
      [1, length, width],
      Float64Array.from({ length: length * width }, (_, i) => Math.sin(k * i + 1)),
    );
  const step = findGraph(module, "step")!;
  const inputs = {
    x: state(2),
    noise: state(5),
    coefficients: tensor("f32", [4], Float64Array.of(0.5, 2, 0, 3)),
  };
  const results = evaluate(
    module,
    "step",
    step.inputs.map(({ hint }) => inputs[hint as keyof typeof inputs]),
  );
  const of = (name: string) => results[step.outputNames.indexOf(name)]!.data;
  const table = store.read("embedding.table").data;
  for (let i = 0; i < length; i++) {
    const logits = [...of("logits").subarray(i * vocabulary, (i + 1) * vocabulary)];
    const best = logits.indexOf(Math.max(...logits));
    expect(of("tokens")[i]).toBe(best);
    for (let c = 0; c < width; c++) {
      const [at, e] = [i * width + c, 3 * table[best * width + c]!];
      expect(of("x0")[at]).toBeCloseTo(e, 12);
      expect(of("x_next")[at]).toBeCloseTo(0.5 * e + 2 * inputs.x.data[at]! + 3 * inputs.noise.data[at]!, 12);
    }
  }
});
