// A class label by its formulas: what enters the first block is the embedding plus the noise level's vector, with the
// class's row in one of three places, and guidance's second call has the row of no class.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Module } from "../../src/ir/graph.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [length, width, vocabulary, batch] = [3, 6, 7, 2];
const tokens = [1, 5, 2, 0, 3, 6];
const levels = [0.7, 0.2];

function load(change: object) {
  const description = {
    state_space: { kind: "uniform", vocab_size: vocabulary, seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 4 },
    blocks: { placement: "post", mixer: { kind: "attention", heads: 2 } },
    ...change,
  };
  return loaded(description, 4);
}

/** A graph on inputs by name, cut off in front of the first block where `cut` says so. */
function run(module: Module, name: string, inputs: Readonly<Record<string, Tensor>>, cut = false) {
  const graph = findGraph(module, name)!;
  const query = graph.ops.find((op) => op.name === "linear" && op.loc.pointer.startsWith("/blocks"))!;
  const asked = cut ? { ...graph, outputs: [query.operands[0]!], outputNames: ["h"] } : graph;
  const graphs = module.graphs.map((other) => (other === graph ? asked : other));
  const outputs = evaluate(
    { ...module, graphs },
    name,
    asked.inputs.map(({ hint }) => inputs[hint!]!),
  );
  return Object.fromEntries(asked.outputNames.map((output, i) => [output, outputs[i]!.data]));
}

const ofTokens = (classes: readonly number[]) => ({
  tokens: tensor("i32", [batch, length], Float64Array.from(tokens)),
  level: tensor("f32", [batch], Float64Array.from(levels)),
  class: tensor("i32", [batch], Float64Array.from(classes)),
});

const silu = (x: number): number => x / (1 + Math.exp(-x));
const timed = (final_activation: string) => ({
  time_conditioning: {
    injection: "additive",
    input: "t",
    features: { kind: "number" },
    mlp: { dims: [width], final_activation },
  },
});

const layers = [{ out: width, activation: "tanh" }];
test.each([
  ["time, as UDLM", timed("silu"), { activation: "silu" }],
  [
    "before the last activation, as LD4LG",
    timed("silu"),
    { injection: "time_mlp", dim: 4, layers: [{ out: width }] },
  ],
  ["every position", timed("silu"), { injection: "positions", layers }],
  ["every position, no time told", {}, {}],
] as const)("%s", (_, time, label) => {
  const { module, store } = load({ ...time, conditioning: { kind: "none", class: { count: 3, ...label } } });
  const classes = [2, 3];
  const { h } = run(module, "denoise", ofTokens(classes), true);
  const numbers = (name: string) => store.read(name).data;
  const table = numbers("conditioning.class.table");
  const dim = "dim" in label ? label.dim : width;
  expect(table).toHaveLength(4 * dim);
  for (let b = 0; b < batch; b++) {
    const row = [...table.subarray(classes[b]! * dim, (classes[b]! + 1) * dim)];
    const vector = Array.from({ length: width }, (_u, c) => {
      if (!("layers" in label)) return "activation" in label ? silu(row[c]!) : row[c]!;
      const weight = numbers("conditioning.class.layers.0.weight");
      const sum = row.reduce(
        (total, value, k) => total + weight[c * dim + k]! * value,
        numbers("conditioning.class.layers.0.bias")[c]!,
      );
      return label.injection === "positions" ? Math.tanh(sum) : sum;
    });
    for (let i = 0; i < length; i++)
      for (let c = 0; c < width; c++) {
        const embedded = numbers("embedding.table")[tokens[b * length + i]! * width + c]!;
        const told =
          "time_conditioning" in time
            ? numbers("time.mlp.0.weight")[c]! * levels[b]! + numbers("time.mlp.0.bias")[c]!
            : undefined;
        const v = vector[c]!;
        const before = "injection" in label && label.injection === "time_mlp";
        const expected = told === undefined ? v : before ? silu(told + v) : silu(told) + v;
        expect(h![(b * length + i) * width + c]).toBeCloseTo(embedded + expected, 12);
      }
  }
});

test("without a row for no class the table has one row a class", () => {
  const { store } = load({ conditioning: { kind: "none", class: { count: 3, null_class: false } } });
  expect(store.read("conditioning.class.table").shape).toEqual([3, width]);
});

test.each([
  "ada_ln",
  "prefix_tokens",
] as const)("%s: two classes and none give three outputs", (injection) => {
  const { module } = load({
    time_conditioning: { injection, input: "t", features: { kind: "sinusoidal", dim: 4 } },
    blocks: { mixer: { kind: "attention", heads: 2 } },
    conditioning: { kind: "none", class: { count: 2 } },
  });
  const first = (label: number) => {
    const { logits } = run(module, "denoise", ofTokens([label, 1]));
    return [...logits!.subarray(0, length * vocabulary)];
  };
  const [a, b, none] = [first(0), first(1), first(2)];
  const apart = (x: number[], y: number[]) => Math.max(...x.map((v, i) => Math.abs(v - y[i]!)));
  for (const distance of [apart(a, b), apart(a, none), apart(b, none)])
    expect(distance).toBeGreaterThan(1e-3);
});

const wave = (size: number, phase: number) =>
  Float64Array.from({ length: size }, (_, i) => 2 * Math.sin(i * i + phase));

test.each([
  ["x0", {}],
  ["logits", { prediction_type: { x0_from: "softmax_embedding" } }],
] as const)("guidance of embeddings asks again without a class, on %s", (of, prediction) => {
  const scale = 1.75;
  const gaussian = {
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: length },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 4 },
    ...timed("silu"),
    ...prediction,
    conditioning: { kind: "none", class: { count: 3 } },
  };
  const plain = load({ ...gaussian, sampler: { kind: "ddim" } }).module;
  const guided = load({ ...gaussian, sampler: { kind: "ddim", guidance: { scale, form: "mix" } } }).module;
  const inputs = (classes: readonly number[]) => ({
    x: tensor("f32", [batch, length, width], wave(batch * length * width, 0)),
    level: tensor("f32", [batch], Float64Array.of(0.4, 0.4)),
    class: tensor("i32", [batch], Float64Array.from(classes)),
  });
  const l = run(plain, "denoise", inputs([1, 0]))[of]!;
  const u = run(plain, "denoise", inputs([3, 3]))[of]!;
  const expected = l.map((v, i) => scale * v + (1 - scale) * u[i]!);
  expect(Math.max(...l.map((v, i) => Math.abs(v - u[i]!)))).toBeGreaterThan(1e-3);
  const step = {
    ...inputs([1, 0]),
    level: tensor("f32", [1], Float64Array.of(0.4)),
    noise: tensor("f32", [batch, length, width]),
    coefficients: tensor("f32", [4], Float64Array.of(1, 0, 0, 0)),
  };
  for (const found of [run(guided, "denoise", inputs([1, 0])), run(guided, "step", step)])
    for (const [i, v] of found[of]!.entries()) expect(v).toBeCloseTo(expected[i]!, 10);
});
