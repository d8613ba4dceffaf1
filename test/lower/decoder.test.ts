// A decoder of latents by its formula: in_proj, positions and norm of the latents, learned queries that attend to them or
// the latents themselves, the final norm and the head.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { type LoadedModel, loadModel } from "../../src/api/load.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";

const [latents, width, tokens, vocabulary, batch] = [3, 4, 5, 7, 2];
const directory = mkdtempSync(join(tmpdir(), "dlmc-decoder-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Of the blocks' branches only attention to the latents leaves something. */
const bare = {
  version: 1,
  state_space: { kind: "latent", seq_len: latents, standardization: { mean: "channel", scale: "channel" } },
  embedding: { dim: width },
  noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
  timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 3 },
  blocks: { mixer: { kind: "attention", heads: 1 } },
};
const silent = {
  placement: "none",
  mixer_branch: { scale: 0 },
  mixer: { kind: "attention", heads: 1 },
  ffn: { kind: "none" },
};
const decoder = {
  vocab_size: vocabulary,
  in_proj: [{ out: 6, activation: "tanh" }],
  positions: { kind: "learned", length: latents + 2 },
  norm: { kind: "layer" },
  final_norm: { kind: "layer", affine: "none" },
};
const queries = { kind: "learned", length: tokens, dim: 8 };

function modelFile(change: object): string {
  const file = join(directory, "model.json");
  writeFileSync(file, JSON.stringify({ ...bare, decoder: { ...decoder, ...change } }));
  return file;
}

type Vector = readonly number[];
const dot = (a: Vector, b: Vector): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const standard = (v: Vector): number[] => {
  const mean = v.reduce((sum, x) => sum + x, 0) / v.length;
  const variance = v.reduce((sum, x) => sum + (x - mean) ** 2, 0) / v.length;
  return v.map((x) => (x - mean) / Math.sqrt(variance + 1e-5));
};

/** What a model's weights make of the state x [batch, latents, width], row by row. */
function byHand({ store }: LoadedModel, x: Float64Array, attends: boolean): number[][] {
  const read = (name: string): Vector => Array.from(store.read(name).data);
  const rows = (name: string): Vector[] => {
    const { data, shape } = store.read(name);
    const size = shape.at(-1)!;
    return Array.from({ length: data.length / size }, (_, i) => [...data.subarray(i * size, (i + 1) * size)]);
  };
  const layer = (name: string, v: Vector): number[] =>
    rows(`${name}.weight`).map((row, o) => dot(row, v) + read(`${name}.bias`)[o]!);
  const [mean, scale] = [read("latent.mean"), read("latent.scale")];
  const [weight, bias] = [read("decoder.norm.weight"), read("decoder.norm.bias")];
  return Array.from({ length: batch }, (_, b) => {
    const given = Array.from({ length: latents }, (_, i) => {
      const z = mean.map((m, c) => scale[c]! * x[(b * latents + i) * width + c]! + m);
      const placed = layer("decoder.in_proj.0", z).map(
        (v, c) => Math.tanh(v) + rows("decoder.positions")[i]![c]!,
      );
      return standard(placed).map((v, c) => v * weight[c]! + bias[c]!);
    });
    const at = "decoder.blocks.0.cross";
    const texts = !attends
      ? given
      : rows("decoder.queries").map((query) => {
          const q = layer(`${at}.q`, query);
          const odds = given.map((y) => Math.exp(dot(q, layer(`${at}.k`, y)) / Math.sqrt(q.length)));
          const total = odds.reduce((sum, w) => sum + w, 0);
          const values = given.map((y) => layer(`${at}.v`, y));
          const mixed = q.map((_, c) => values.reduce((sum, v, i) => sum + (odds[i]! / total) * v[c]!, 0));
          return layer(`${at}.out_proj`, mixed).map((v, c) => v + query[c]!);
        });
    return texts.flatMap((h) => layer("head", standard(h)));
  });
}

describe.each([
  [
    "learned queries that attend to the latents",
    { queries, blocks: { ...silent, cross_attention: { heads: 1 } } },
  ],
  ["a token a latent", { blocks: silent }],
])("%s", (_, change) => {
  const attends = "queries" in change;

  test("logits, and the best token of each position", () => {
    const model = loadModel({ model: modelFile(change), synthetic: 6 });
    const x = Float64Array.from({ length: batch * latents * width }, (_, i) => Math.sin(3 * i + 1));
    const [, logits, best] = evaluate(model.module, "decode", [tensor("f32", [batch, latents, width], x)]);
    const expected = byHand(model, x, attends).flat();
    const length = attends ? tokens : latents;
    expect(logits!.shape).toEqual([batch, length, vocabulary]);
    expected.forEach((value, i) => {
      expect(logits!.data[i]).toBeCloseTo(value, 11);
    });
    for (let at = 0; at < batch * length; at++) {
      const row = expected.slice(at * vocabulary, (at + 1) * vocabulary);
      expect(best!.data[at]).toBe(row.indexOf(Math.max(...row)));
    }
  });

  test.each(["reference", "onnx"])("a generation on %s ends in them", async (target) => {
    const model = modelFile(change);
    const session = await openSession({ model, synthetic: 6, target, seed: 2, batch });
    const states = [];
    for await (const state of session.states()) states.push(state);
    await session.close();
    const last = states.at(-1)!;
    expect(states.slice(0, -1).flatMap((state) => [...state.tokens])).toEqual([]);
    expect(last.logits).toHaveLength(batch * (attends ? tokens : latents) * vocabulary);
    const { store } = loadModel({ model, synthetic: 6 });
    const [mean, scale] = ["mean", "scale"].map((name) => store.read(`latent.${name}`).data);
    const x = Float64Array.from(last.latents!, (z, i) => (z - mean![i % width]!) / scale![i % width]!);
    const expected = byHand(loadModel({ model, synthetic: 6 }), x, attends).flat();
    // Sums of eight products of numbers below 5 in float32.
    expected.forEach((value, i) => {
      expect(last.logits![i]).toBeCloseTo(value, 4);
    });
    expect(last.tokens).toHaveLength(batch * (attends ? tokens : latents));
    expect(last.margins).toHaveLength(last.tokens.length);
  });
});
