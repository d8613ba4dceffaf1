// The two ends of a network around blocks that add nothing: scaled embeddings, a tied head, capped logits.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Module } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [vocabulary, length, width] = [11, 5, 6];

function load(change: { embedding?: object; [concept: string]: unknown }): Module {
  const description = {
    state_space: { kind: "uniform", vocab_size: vocabulary, seq_len: length },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 4 },
    blocks: {
      placement: "none",
      mixer: { kind: "attention", heads: 1 },
      mixer_branch: { scale: 0 },
      ffn: { kind: "none" },
    },
    ...change,
    embedding: { dim: width, ...change.embedding },
  };
  return loaded(description, 5).module;
}

const table = (module: Module) => {
  const { data } = module.weights.read("embedding.table");
  return Array.from({ length: vocabulary }, (_, v) => data.subarray(v * width, (v + 1) * width));
};
const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const tokens = [3, 0, 10, 3, 7];

test("logits of a tied head read scaled embeddings with the table as stored, and are capped", () => {
  const module = load({
    embedding: { scale: 3 },
    prediction_type: { logit_softcap: 1.5 },
    rounding_head: { kind: "linear", tied: true, bias: false },
  });
  const [logits] = evaluate(module, "denoise", [tensor("i32", [1, length], Float64Array.from(tokens))]);
  const rows = table(module);
  tokens.forEach((token, t) => {
    for (let v = 0; v < vocabulary; v++) {
      const expected = 1.5 * Math.tanh((3 * dot(rows[token]!, rows[v]!)) / 1.5);
      expect(logits!.data[t * vocabulary + v]).toBeCloseTo(expected, 10);
    }
  });
});

test.each([
  ["none", 2],
  ["unit", 2],
  ["unit_sqrt_d", 0.5],
])("embeddings of a continuous state, normalised (%s) and then scaled, are what a distance is to", (normalization, scale) => {
  const module = load({
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: length },
    embedding: { normalization, scale },
    rounding_head: { kind: "l2_nearest" },
  });
  const rows = table(module).map((row) => {
    const size = Math.sqrt(dot(row, row));
    const factor =
      normalization === "none" ? 1 : normalization === "unit" ? 1 / size : Math.sqrt(width) / size;
    return row.map((v) => scale * factor * v);
  });
  const [x] = evaluate(module, "embed", [tensor("i32", [1, length], Float64Array.from(tokens))]);
  const [logits] = evaluate(module, "round", [x!]);
  tokens.forEach((token, t) => {
    rows[token]!.forEach((v, i) => {
      expect(x!.data[t * width + i]).toBeCloseTo(v, 10);
    });
    for (let v = 0; v < vocabulary; v++) {
      const apart = Math.hypot(...rows[v]!.map((a, i) => a - rows[token]![i]!));
      expect(logits!.data[t * vocabulary + v]).toBeCloseTo(-apart, 6);
    }
  });
});

test("the head's layers, then its norm, then its matrix", () => {
  const module = load({
    rounding_head: {
      kind: "linear",
      layers: [{ out: 4, activation: "relu" }],
      norm: { kind: "layer", eps: 0.01 },
    },
    prediction_type: { final_norm: { kind: "none" } },
  });
  const [logits] = evaluate(module, "denoise", [tensor("i32", [1, length], Float64Array.from(tokens))]);
  const numbers = (name: string) => module.weights.read(`head.${name}`).data;
  const linear = (x: Float64Array, name: string): Float64Array =>
    numbers(`${name}bias`).map(
      (bias, o) => bias + dot(numbers(`${name}weight`).subarray(o * x.length, (o + 1) * x.length), x),
    );
  tokens.forEach((token, t) => {
    const h = linear(table(module)[token]!, "layers.0.").map((v) => Math.max(0, v));
    const mean = h.reduce((sum, v) => sum + v, 0) / 4;
    const deviation = Math.sqrt(h.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 4 + 0.01);
    const normed = h.map(
      (v, c) => ((v - mean) / deviation) * numbers("norm.weight")[c]! + numbers("norm.bias")[c]!,
    );
    linear(normed, "").forEach((expected, v) => {
      expect(logits!.data[t * vocabulary + v]).toBeCloseTo(expected, 10);
    });
  });
});
