// What the noise level modulates, in a block alone against plain loops: adaLN as in DiT, conditional layer normalisation
// as in CDCD, and LD4LG's scale and shift behind the feed-forward network alone.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Module } from "../../src/ir/graph.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";

const [length, width, hidden, features] = [3, 4, 5, 6];
const directory = mkdtempSync(join(tmpdir(), "dlmc-modulation-"));
afterAll(() => rmSync(directory, { recursive: true }));

function load(description: object): ReturnType<typeof loadModel> {
  const model = join(directory, "model.json");
  writeFileSync(model, JSON.stringify({ version: 1, ...description }));
  return loadModel({ model, synthetic: 7 });
}

const run = (module: Module, name: string, given: Readonly<Record<string, Tensor>>): readonly Tensor[] =>
  evaluate(
    module,
    name,
    findGraph(module, name)!.inputs.map(({ hint }) => given[hint!]!),
  );

const x = tensor(
  "f32",
  [1, length, width],
  Float64Array.from({ length: length * width }, (_, i) => Math.sin(i + 1)),
);
const t = 0.7;
const level = tensor("f32", [1], Float64Array.of(t));

type Vector = readonly number[];
const plus = (a: Vector, b: Vector): Vector => a.map((v, i) => v + b[i]!);
const times = (a: Vector, b: Vector): Vector => a.map((v, i) => v * b[i]!);

const cases = [
  { name: "adaLN", chunks: ["shift", "scale", "gate"], at: "input", placement: "pre" },
  { name: "another order of rows", chunks: ["gate", "scale", "shift"], at: "input", placement: "pre" },
  { name: "conditional layer normalisation", chunks: ["shift"], at: "input", placement: "pre" },
  { name: "scale and shift behind", chunks: ["scale", "shift"], at: "output", placement: "sandwich" },
  { name: "a gate alone", chunks: ["gate"], at: "input", placement: "pre" },
] as const;

test.each(cases)("$name", ({ chunks, at, placement }) => {
  const { module, store } = load({
    part: "block",
    width,
    seq_len: length,
    time_conditioning: {
      injection: "ada_ln",
      features: { kind: "sinusoidal", dim: features },
      mlp: { dims: [] },
      chunks,
      branches: ["ffn"],
      at,
    },
    block: {
      placement,
      // The mixer's branch is multiplied by 0: what is left is the feed-forward branch.
      mixer_branch: { scale: 0 },
      mixer: { kind: "attention", heads: 1 },
      ffn: { kind: "dense", hidden, activation: "relu" },
    },
  });
  const weight = (name: string): Vector => [...store.read(name).data];
  const layer = (name: string, v: Vector): Vector => {
    const [matrix, bias] = [weight(`${name}.weight`), weight(`${name}.bias`)];
    return bias.map((b, o) => v.reduce((sum, value, i) => sum + matrix[o * v.length + i]! * value, b));
  };
  const norm = (name: string, v: Vector): Vector => {
    const mean = v.reduce((sum, value) => sum + value, 0) / v.length;
    const variance = v.reduce((sum, value) => sum + (value - mean) ** 2, 0) / v.length;
    const unit = v.map((value) => (value - mean) / Math.sqrt(variance + 1e-5));
    return plus(times(unit, weight(`${name}.weight`)), weight(`${name}.bias`));
  };
  const angles = Array.from({ length: features / 2 }, (_, i) => t * 10000 ** ((-2 * i) / features));
  const condition = [...angles.map(Math.cos), ...angles.map(Math.sin)];
  const rows = layer("ada_ln", condition);
  expect(rows).toHaveLength(chunks.length * width);
  const chunk = (name: string, otherwise: number): Vector => {
    const k = (chunks as readonly string[]).indexOf(name);
    return k < 0 ? new Array<number>(width).fill(otherwise) : rows.slice(k * width, (k + 1) * width);
  };
  const modulated = (v: Vector): Vector =>
    plus(
      times(
        v,
        chunk("scale", 0).map((s) => 1 + s),
      ),
      chunk("shift", 0),
    );
  const [found] = run(module, "block", { x, level });
  for (let i = 0; i < length; i++) {
    const row = [...x.data.subarray(i * width, (i + 1) * width)];
    const before = norm("norm2", row);
    const read = at === "input" ? modulated(before) : before;
    const inner = layer(
      "ffn.down",
      layer("ffn.up", read).map((v) => Math.max(0, v)),
    );
    const after = placement === "sandwich" ? norm("norm2_out", inner) : inner;
    const out = at === "output" ? modulated(after) : after;
    const expected = plus(row, times(out, chunk("gate", 1)));
    for (let c = 0; c < width; c++) expect(found!.data[i * width + c]).toBeCloseTo(expected[c]!, 12);
  }
});

test("features may be added to the input beside modulating: as additive time conditioning does", () => {
  const shared = {
    state_space: { kind: "continuous_embedding", vocab_size: 9, seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 3 },
    blocks: { mixer: { kind: "attention", heads: 1 } },
    rounding_head: { kind: "l2_nearest" },
  };
  const told = { input: "t", features: { kind: "sinusoidal", dim: features } };
  const both = load({
    ...shared,
    time_conditioning: {
      ...told,
      injection: "ada_ln",
      mlp: { dims: [] },
      additive: [{ out: width }],
      final: false,
      chunks: ["shift"],
    },
  });
  const added = load({
    ...shared,
    time_conditioning: { ...told, injection: "additive", mlp: { dims: [width], final_activation: "none" } },
  });
  // The same tensors under the names of either description; no shifts.
  const weights = {
    has: () => true,
    read(name: string): Tensor {
      const value = both.store.info(name) && both.store.read(name);
      if (value === undefined) return both.store.read(name.replace("time.mlp.0", "time.additive.0"));
      return name.includes("ada_ln") ? { ...value, data: value.data.map(() => 0) } : value;
    },
  };
  const [one, other] = [both, added].map(
    ({ module }) => run({ ...module, weights }, "denoise", { x, level })[0]!,
  );
  expect([...one!.data]).toEqual([...other!.data]);
});
