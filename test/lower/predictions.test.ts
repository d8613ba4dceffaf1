// Prediction types, input factors and time features in whole networks, against what they say: the same weights with one
// field changed.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph } from "../../src/ir/graph.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [length, width] = [5, 6];

interface Denoised {
  readonly x0: Float64Array;
  readonly logits: Float64Array;
}

/** @denoise of a small model with synthetic weights, on inputs by name. */
function denoise(change: object, inputs: Readonly<Record<string, Tensor>>): Denoised {
  const description = {
    state_space: { kind: "continuous_embedding", vocab_size: 9, seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 4 },
    blocks: { mixer: { kind: "attention", heads: 2 } },
    rounding_head: { kind: "l2_nearest" },
    ...change,
  };
  const { module } = loaded(description, 3);
  const graph = findGraph(module, "denoise")!;
  const given = graph.inputs.map(({ hint }) => inputs[hint!]!);
  const results = evaluate(module, "denoise", given);
  const of = (name: string): Float64Array => results[graph.outputNames.indexOf(name)]!.data;
  return { x0: of("x0"), logits: of("logits") };
}

const x = tensor(
  "f32",
  [1, length, width],
  Float64Array.from({ length: length * width }, (_, i) => Math.sin(5 * i + 2)),
);
const one = (value: number): Tensor => tensor("f32", [1], Float64Array.of(value));
const base = { x, level: one(0.4) };

test.each(["epsilon", "v", "score", "edm"])("%s is a map of the output beside the state", (target) => {
  const out = denoise({}, base).x0;
  const [skip, scale] = [0.75, -1.5];
  const found = denoise({ prediction_type: { target } }, { ...base, c_skip: one(skip), c_out: one(scale) });
  for (let i = 0; i < out.length; i++)
    expect(found.x0[i]).toBeCloseTo(skip * x.data[i]! + scale * out[i]!, 12);
});

test("the head reads x0, not the output", () => {
  // x0 is the state itself: the logits are those of a network that predicts it.
  const found = denoise({ prediction_type: { target: "v" } }, { ...base, c_skip: one(1), c_out: one(0) });
  expect([...found.x0]).toEqual([...x.data]);
  const doubled = {
    ...base,
    x: tensor(
      "f32",
      x.shape,
      x.data.map((v) => 2 * v),
    ),
    c_skip: one(0.5),
    c_out: one(0),
  };
  const other = denoise({ prediction_type: { target: "v" } }, doubled);
  expect([...other.logits]).toEqual([...found.logits]);
});

test("the input factor reaches the network and not the state", () => {
  const halved = tensor(
    "f32",
    x.shape,
    x.data.map((v) => v / 2),
  );
  const expected = denoise({}, { ...base, x: halved }).x0;
  const preconditioned = { embedding: { dim: width, input_preconditioning: "unit_variance" } };
  expect([...denoise(preconditioned, { ...base, c_in: one(0.5) }).x0]).toEqual([...expected]);
  const skipping = { ...preconditioned, prediction_type: { target: "edm" } };
  const found = denoise(skipping, { ...base, c_in: one(0.5), c_skip: one(3), c_out: one(1) }).x0;
  expected.forEach((value, i) => {
    expect(found[i]).toBeCloseTo(value + 3 * x.data[i]!, 12);
  });
});

const additive = (features: object): object => ({
  time_conditioning: { injection: "additive", features, mlp: { dims: [width], bias: false } },
});

test("exponential frequencies from 1 down to 1 / p are the sinusoidal ones of period p", () => {
  const inputs = { x, level: one(0.3) };
  const found = denoise(additive({ kind: "exp_fourier", dim: 6, lo: 0, hi: -Math.log(500) }), inputs).x0;
  const same = { kind: "sinusoidal", dim: 6, max_period: 500, order: "sin_cos", denominator: "half_minus_1" };
  const expected = denoise(additive(same), inputs).x0;
  expected.forEach((value, i) => {
    expect(found[i]).toBeCloseTo(value, 12);
  });
});

test("the number itself is a feature that vanishes with it", () => {
  const number = additive({ kind: "number" });
  const none = denoise({ time_conditioning: { injection: "none" } }, { x }).x0;
  expect([...denoise(number, { x, level: one(0) }).x0]).toEqual([...none]);
  expect([...denoise(number, { x, level: one(1) }).x0]).not.toEqual([...none]);
});
