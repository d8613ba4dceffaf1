// Every way in of the previous prediction, by its formula: what enters the first block of a network without time.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Module } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [length, width, vocabulary] = [3, 4, 7];

const tokenState = {
  state_space: { kind: "uniform", vocab_size: vocabulary, seq_len: length },
  noise_schedule: { family: "log_linear" },
  timesteps: { kind: "linspace", num_steps: 4 },
  sampler: { kind: "confidence", temperature: 0.8 },
};

function load(change: object): Module {
  const description = {
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 4 },
    blocks: { placement: "post", mixer: { kind: "attention", heads: 2 } },
    conditioning: { kind: "none" },
    ...change,
  };
  return loaded(description, 4).module;
}

/** What the first linear layer of the first block reads, for a state and a previous prediction. */
function entering(module: Module, width: number, state: Float64Array, previous: Float64Array): Float64Array {
  const graph = findGraph(module, "denoise")!;
  const query = graph.ops.find((op) => op.name === "linear" && op.loc.pointer.startsWith("/blocks"))!;
  const cut = { ...graph, outputs: [query.operands[0]!], outputNames: ["h"] };
  const inputs = graph.inputs.map(({ hint }) =>
    tensor("f32", [1, length, width], hint === "self_cond" ? previous : state),
  );
  return evaluate({ ...module, graphs: [cut] }, "denoise", inputs)[0]!.data as Float64Array;
}

test("a learned null stands for the prediction that the first call has not, in a Gaussian state and in one of tokens", () => {
  const combine = { combine: "sum", null: "learned" } as const;
  const h = (module: Module, inputs: Readonly<Record<string, ReturnType<typeof tensor>>>): Float64Array => {
    const graph = findGraph(module, "denoise")!;
    const query = graph.ops.find((op) => op.name === "linear" && op.loc.pointer.startsWith("/blocks"))!;
    const cut = { ...graph, outputs: [query.operands[0]!], outputNames: ["h"] };
    const given = graph.inputs.map(({ hint }) => inputs[hint!]!);
    return evaluate({ ...module, graphs: [cut] }, "denoise", given)[0]!.data as Float64Array;
  };
  // Two texts: the first was called before, the second was not.
  const mask = tensor("bool", [2], Float64Array.of(1, 0));
  const [state, previous] = [wave(2 * length * width, 1), wave(2 * length * width, 2)];
  const gaussian = load({ self_conditioning: combine });
  const own = gaussian.weights.read("self_conditioning.null").data;
  expect(own).toHaveLength(width);
  const found = h(gaussian, {
    x: tensor("f32", [2, length, width], state),
    self_cond: tensor("f32", [2, length, width], previous),
    self_cond_mask: mask,
  });
  found.forEach((value, i) => {
    const called = i < length * width;
    expect(value).toBeCloseTo(state[i]! + (called ? previous[i]! : own[i % width]!), 12);
  });

  const discrete = load({ ...tokenState, self_conditioning: combine });
  const table = discrete.weights.read("embedding.table").data;
  const nothing = discrete.weights.read("self_conditioning.null").data;
  const [tokens, logits] = [[1, 4, 0, 6, 2, 2], wave(2 * length * vocabulary, 3)];
  const entered = h(discrete, {
    tokens: tensor("i32", [2, length], Float64Array.from(tokens)),
    self_cond_logits: tensor("f32", [2, length, vocabulary], logits),
    self_cond_mask: mask,
  });
  const rows = rowsOf(logits, vocabulary);
  entered.forEach((value, i) => {
    const [at, c] = [Math.floor(i / width), i % width];
    const odds = rows[at]!.map((l) => Math.exp(l));
    const total = odds.reduce((sum, v) => sum + v, 0);
    const mean = odds.reduce((sum, v, token) => sum + (v / total) * table[token * width + c]!, 0);
    const expected = table[tokens[at]! * width + c]! + (at < length ? mean : nothing[c]!);
    expect(value).toBeCloseTo(expected, 11);
  });
});

const wave = (size: number, phase: number) =>
  Float64Array.from({ length: size }, (_, i) => 2 * Math.sin(i * i + phase));
const rowsOf = (x: Float64Array, width: number) =>
  Array.from({ length: x.length / width }, (_, i) => [...x.subarray(i * width, (i + 1) * width)]);

/** W x + b; no b where there is none. */
function layer(module: Module, name: string, x: readonly number[], bias: boolean): number[] {
  const { data, shape } = module.weights.read(`self_conditioning.${name}weight`);
  const b = bias ? module.weights.read(`self_conditioning.${name}bias`).data : undefined;
  expect(module.weights.has(`self_conditioning.${name}bias`)).toBe(bias);
  return Array.from({ length: shape[0]! }, (_, o) =>
    x.reduce((sum, v, i) => sum + data[o * x.length + i]! * v, b?.[o] ?? 0),
  );
}

/** x / sqrt(mean(x^2) + eps). */
function rms(x: readonly number[], eps: number): number[] {
  const root = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + eps);
  return x.map((v) => v / root);
}

type Formula = (module: Module, x: number[], y: number[]) => number[];
const plus = (x: readonly number[], y: readonly number[]) => x.map((v, c) => v + y[c]!);
const formulas: readonly (readonly [object, Formula])[] = [
  [{ combine: "residual_concat_linear" }, (m, x, y) => plus(x, layer(m, "", [...x, ...y], false))],
  [{ combine: "concat_linear", bias: true }, (m, x, y) => layer(m, "", [...x, ...y], true)],
  [{ combine: "add" }, (m, x, y) => plus(x, layer(m, "", y, false))],
  [
    { combine: "concat_mlp", bias: true, hidden: 5 },
    (m, x, y) =>
      layer(
        m,
        "1.",
        layer(m, "0.", [...x, ...y], true).map((v) => Math.max(0, v)),
        true,
      ),
  ],
  [
    { combine: "concat_mlp", activation: "tanh" },
    (m, x, y) => layer(m, "1.", layer(m, "0.", [...x, ...y], false).map(Math.tanh), false),
  ],
  [
    { combine: "gated_mlp", hidden: 5, activation: "silu", eps: 0.01 },
    (m, x, y) => {
      const weight = m.weights.read("self_conditioning.norm.weight").data;
      const n = rms(y, 0.01).map((v, c) => v * weight[c]!);
      const gate = layer(m, "gate.", n, false).map((v) => v / (1 + Math.exp(-v)));
      const up = layer(m, "up.", n, false);
      const h = gate.map((v, j) => v * up[j]!);
      return rms(plus(x, layer(m, "down.", h, false)), 0.01);
    },
  ],
  [
    { combine: "gated_mlp", bias: true },
    (m, x, y) => {
      const weight = m.weights.read("self_conditioning.norm.weight").data;
      const n = rms(y, 1e-6).map((v, c) => v * weight[c]!);
      const up = layer(m, "up.", n, true);
      const h = layer(m, "gate.", n, true).map((v, j) => Math.max(0, v) * up[j]!);
      return rms(plus(x, layer(m, "down.", h, true)), 1e-6);
    },
  ],
  [{ combine: "sum" }, (_, x, y) => plus(x, y)],
  [{ combine: "mean" }, (_, x, y) => plus(x, y).map((v) => v / 2)],
  [{ combine: "max" }, (_, x, y) => x.map((v, c) => Math.max(v, y[c]!))],
  [{ combine: "product" }, (_, x, y) => x.map((v, c) => v * y[c]!)],
];

test.each(formulas)("embeddings: %j", (self_conditioning, formula) => {
  const module = load({ self_conditioning });
  const [state, previous] = [wave(length * width, 0), wave(length * width, 1)];
  const found = rowsOf(entering(module, width, state, previous), width);
  rowsOf(state, width).forEach((x, i) => {
    formula(module, x, rowsOf(previous, width)[i]!).forEach((v, c) => {
      expect(found[i]![c]).toBeCloseTo(v, 12);
    });
  });
});

test("concat: the first layer of the trunk reads both, side by side", () => {
  const module = load({
    embedding: { dim: width, in_proj: [{ out: 6 }] },
    prediction_type: { out_proj: [{ out: width }] },
    self_conditioning: { combine: "concat" },
  });
  const [state, previous] = [wave(length * width, 0), wave(length * width, 1)];
  const { data, shape } = module.weights.read("embedding.in_proj.0.weight");
  const bias = module.weights.read("embedding.in_proj.0.bias").data;
  expect(shape).toEqual([6, 2 * width]);
  const found = rowsOf(entering(module, width, state, previous), 6);
  rowsOf(state, width).forEach((x, i) => {
    const both = [...x, ...rowsOf(previous, width)[i]!];
    bias.forEach((b, o) => {
      const expected = both.reduce((sum, v, k) => sum + data[o * both.length + k]! * v, b);
      expect(found[i]![o]).toBeCloseTo(expected, 12);
    });
  });
});

test.each(formulas)("only the canvas is conditioned: %j", (self_conditioning, formula) => {
  const module = load({ self_conditioning: { ...self_conditioning, canvas: 2 } });
  const [state, previous] = [wave(length * width, 0), wave(length * width, 1)];
  const found = rowsOf(entering(module, width, state, previous), width);
  rowsOf(state, width).forEach((x, i) => {
    const expected = i < length - 2 ? x : formula(module, x, rowsOf(previous, width)[i]!);
    expected.forEach((v, c) => {
      expect(found[i]![c]).toBeCloseTo(v, 12);
    });
  });
});

const softmax = (x: readonly number[]) => {
  const weights = x.map(Math.exp);
  const sum = weights.reduce((s, w) => s + w, 0);
  return weights.map((w) => w / sum);
};
const combined = {
  sum: (x: number, y: number) => x + y,
  mean: (x: number, y: number) => (x + y) / 2,
  max: (x: number, y: number) => Math.max(x, y),
  product: (x: number, y: number) => x * y,
};

for (const mix of ["embeddings", "probabilities", "logits"] as const)
  test.each(["sum", "mean", "max", "product"] as const)(`a simplex, mixed as ${mix}: %s`, (combine) => {
    const module = load({
      state_space: { kind: "simplex", vocab_size: vocabulary, seq_len: length },
      self_conditioning: { combine, mix },
    });
    const table = rowsOf(module.weights.read("embedding.table").data as Float64Array, width);
    const embedded = (p: readonly number[]) =>
      Array.from({ length: width }, (_, c) => p.reduce((sum, w, v) => sum + w * table[v]![c]!, 0));
    const both = (x: readonly number[], y: readonly number[]) => x.map((v, i) => combined[combine](v, y[i]!));
    const [state, previous] = [wave(length * vocabulary, 0), wave(length * vocabulary, 1)];
    const found = rowsOf(entering(module, vocabulary, state, previous), width);
    rowsOf(state, vocabulary).forEach((s, i) => {
      const l = rowsOf(previous, vocabulary)[i]!;
      const expected = {
        embeddings: () => both(embedded(softmax(s)), embedded(softmax(l))),
        probabilities: () => embedded(both(softmax(s), softmax(l))),
        logits: () => embedded(softmax(both(s, l))),
      }[mix]();
      expected.forEach((v, c) => {
        expect(found[i]![c]).toBeCloseTo(v, 12);
      });
    });
  });

// Tokens: the previous prediction is softmax(logits scale) E, and 0 of a text that has none.
const rows = 2;
const tokens = Float64Array.of(3, 0, 5, 6, 3, 1);
const scales = Float64Array.of(1.25, 0.5);

/** What enters the first block for two texts, the second without a call before it. */
function enteringTokens(module: Module, logits: Float64Array): number[][] {
  const graph = findGraph(module, "denoise")!;
  const query = graph.ops.find((op) => op.name === "linear" && op.loc.pointer.startsWith("/blocks"))!;
  const cut = { ...graph, outputs: [query.operands[0]!], outputNames: ["h"] };
  const given: Readonly<Record<string, ReturnType<typeof tensor>>> = {
    tokens: tensor("i32", [rows, length], tokens),
    self_cond_logits: tensor("f32", [rows, length, vocabulary], logits),
    self_cond_mask: tensor("bool", [rows], Float64Array.of(1, 0)),
    self_cond_scale: tensor("f32", [rows], scales),
  };
  const inputs = graph.inputs.map(({ hint }) => given[hint!]!);
  return rowsOf(evaluate({ ...module, graphs: [cut] }, "denoise", inputs)[0]!.data as Float64Array, width);
}

const embeddings = [
  { dim: width },
  { dim: width, scale: 1.5 },
  { dim: width, scale: 1.5, normalization: "unit" },
] as const;

for (const embedding of embeddings)
  for (const own of [{}, { temperature: "sampler" }, { canvas: 2 }])
    test.each(formulas)(`tokens, ${JSON.stringify([embedding, own])}: %j`, (self_conditioning, formula) => {
      const module = load({ ...tokenState, embedding, self_conditioning: { ...self_conditioning, ...own } });
      const scale = "scale" in embedding ? embedding.scale : 1;
      const table = rowsOf(module.weights.read("embedding.table").data as Float64Array, width).map((e) => {
        const norm = "normalization" in embedding ? Math.hypot(...e) : 1;
        return e.map((v) => (v * scale) / norm);
      });
      const logits = wave(rows * length * vocabulary, 1);
      const found = enteringTokens(module, logits);
      for (const [at, row] of rowsOf(logits, vocabulary).entries()) {
        const [text, position] = [Math.floor(at / length), at % length];
        const p = softmax(row.map((l) => l * ("temperature" in own ? scales[text]! : 1)));
        const mean = Array.from({ length: width }, (_, c) =>
          p.reduce((sum, w, v) => sum + w * table[v]![c]!, 0),
        );
        const y = text === 0 ? mean : mean.map(() => 0);
        const x = table[tokens[at]!]!;
        const expected = "canvas" in own && position < length - own.canvas! ? x : formula(module, x, y);
        expected.forEach((v, c) => {
          expect(found[at]![c]).toBeCloseTo(v, 12);
        });
      }
    });
