// Classifier-free guidance of continuous states, by its formula: two evaluations of the same network without guidance,
// once as given and once with zeros for what is given, combined by hand.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Module } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [length, width, vocabulary, positions] = [5, 6, 11, 3];
const given = Uint8Array.of(1, 0, 0, 1, 0);

function load(change: object): Module {
  const description = {
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 4 },
    time_conditioning: { injection: "additive", features: { kind: "sinusoidal", dim: 4 } },
    blocks: { placement: "post", mixer: { kind: "attention", heads: 2 } },
    self_conditioning: { combine: "add" },
    conditioning: { kind: "fixed_positions" },
    ...change,
  };
  return loaded(description, 4).module;
}

const wave = (size: number, phase: number) =>
  Float64Array.from({ length: size }, (_, i) => 2 * Math.sin(i * i + phase));

type Numbers = Readonly<Record<string, Float64Array>>;

/** A graph of a batch of one on inputs by name; every input that the graph takes is there. */
function run(module: Module, name: string, inputs: Numbers): Numbers {
  const graph = findGraph(module, name)!;
  const tensors = graph.inputs.map(({ hint, type }) => {
    expect(inputs, hint).toHaveProperty(hint!);
    return tensor(
      type.element,
      type.shape.map((extent) => extent.value ?? 1),
      inputs[hint!]!,
    );
  });
  const outputs = evaluate(module, name, tensors);
  return Object.fromEntries(
    graph.outputNames.map((output, i) => [output, Float64Array.from(outputs[i]!.data)]),
  );
}

const state = wave(length * width, 0);
const fixed = wave(length * width, 1);
const overwritten = state.map((v, i) => (given[Math.floor(i / width)] === 1 ? fixed[i]! : v));
const zeroed = state.map((v, i) => (given[Math.floor(i / width)] === 1 ? 0 : v));
const shared: Numbers = {
  self_cond: wave(length * width, 2),
  level: Float64Array.of(0.4),
  noise: wave(length * width, 3),
  coefficients: Float64Array.of(0.7, 0.2, 0, 0.1),
  fixed_mask: Float64Array.from(given),
  fixed_x: fixed,
  encoder: wave(positions * 4, 4),
  encoder_mask: Float64Array.of(1, 1, 0),
};

/** What the second call is told: nothing of given positions, be it the state or what was predicted before. */
const free: Numbers = {
  ...shared,
  x: zeroed,
  self_cond: shared.self_cond!.map((v, i) => (given[Math.floor(i / width)] === 1 ? 0 : v)),
};

const forms = {
  difference: (l: number, u: number, w: number) => u + (w + 1) * (l - u),
  mix: (l: number, u: number, w: number) => w * l + (1 - w) * u,
};

function expectClose(found: Float64Array, expected: Float64Array): void {
  expect(found).toHaveLength(expected.length);
  expected.forEach((v, i) => {
    expect(found[i]).toBeCloseTo(v, 10);
  });
}

const encoder = { length: positions, dim: 4 };
const crossed = {
  blocks: {
    placement: "post",
    mixer: { kind: "attention", heads: 2 },
    cross_attention: { heads: 2, bias: { qkv: true, out: true } },
  },
};
const inProj = [{ out: width, bias: true }];
const cases: readonly (readonly [string, object])[] = [
  ["given positions", {}],
  ["an encoder", { conditioning: { kind: "none", encoder: { ...encoder, in_proj: inProj } }, ...crossed }],
  [
    "both, the encoder without a mask",
    { conditioning: { kind: "fixed_positions", encoder: { ...encoder, mask: false } }, ...crossed },
  ],
];
const samplers = ["ddpm", "ddim", "euler", "heun", "dpmpp_2m", "renoise"] as const;

for (const [what, change] of cases)
  test.each(["difference", "mix"] as const)(`${what}, x0 predicted: %s`, (form) => {
    const scale = 1.75;
    const plain = load({ ...change, sampler: { kind: "ddim" } });
    const guided = load({ ...change, sampler: { kind: "ddim", guidance: { scale, form } } });
    const infilled = findGraph(plain, "step")!.inputs.some(({ hint }) => hint === "fixed_mask");
    const x = infilled ? overwritten : state;
    const l = run(plain, "denoise", { ...shared, x }).x0!;
    const u = run(plain, "denoise", {
      ...(infilled ? free : { ...shared, x: state }),
      encoder: new Float64Array(positions * 4),
    }).x0!;
    const x0 = l.map((v, i) => forms[form](v, u[i]!, scale));
    // What is left out matters, or nothing is shown.
    expect(Math.max(...l.map((v, i) => Math.abs(v - u[i]!)))).toBeGreaterThan(1e-3);
    expectClose(run(guided, "denoise", { ...shared, x }).x0!, x0);
    const step = run(guided, "step", { ...shared, x: state });
    expectClose(step.x0!, x0);
    const [a, b, , s] = shared.coefficients!;
    expectClose(
      step.x_next!,
      x0.map((v, i) => a! * v + b! * x[i]! + s! * shared.noise![i]!),
    );
    // The logits are those of the combined x0.
    expectClose(step.logits!, run(plain, "round", { x: x0 }).logits!);
  });

test("empty tokens stand at given positions: their embeddings, others at the ends", () => {
  const empty = { token: 7, first: 2, last: 9 };
  const plain = load({ embedding: { dim: width, normalization: "unit", scale: 2 } });
  const guided = load({
    embedding: { dim: width, normalization: "unit", scale: 2 },
    sampler: { kind: "ddim", guidance: { scale: 2, form: "mix", empty } },
  });
  const rows = run(plain, "embed", { tokens: Float64Array.of(2, 7, 7, 7, 9) }).x!;
  const x = state.map((v, i) => (given[Math.floor(i / width)] === 1 ? rows[i]! : v));
  const l = run(plain, "denoise", { ...shared, x: overwritten }).x0!;
  const u = run(plain, "denoise", { ...free, x }).x0!;
  expect(x).not.toEqual(zeroed);
  expectClose(
    run(guided, "step", { ...shared, x: state }).x0!,
    l.map((v, i) => 2 * v - u[i]!),
  );
});

test.each(["difference", "mix"] as const)("logits predicted: %s", (form) => {
  const scale = 0.6;
  const softmax = { prediction_type: { x0_from: "softmax_embedding", prior_skip: "none" } };
  const plain = load({ ...softmax, sampler: { kind: "ddim" } });
  const guided = load({ ...softmax, sampler: { kind: "ddim", guidance: { scale, form } } });
  const l = run(plain, "denoise", { ...shared, x: overwritten }).logits!;
  const u = run(plain, "denoise", free).logits!;
  const logits = l.map((v, i) => forms[form](v, u[i]!, scale));
  const table = run(plain, "embed", { tokens: Float64Array.of(0, 1, 2, 3, 4) }).x!;
  const rest = run(plain, "embed", { tokens: Float64Array.of(5, 6, 7, 8, 9) }).x!;
  const last = run(plain, "embed", { tokens: new Float64Array(length).fill(10) }).x!;
  const rows = [...table, ...rest, ...last.subarray(0, width)];
  const x0 = new Float64Array(length * width);
  for (let i = 0; i < length; i++) {
    const weights = [...logits.subarray(i * vocabulary, (i + 1) * vocabulary)].map(Math.exp);
    const sum = weights.reduce((total, w) => total + w, 0);
    for (let v = 0; v < vocabulary; v++)
      for (let c = 0; c < width; c++) x0[i * width + c]! += (weights[v]! / sum) * rows[v * width + c]!;
  }
  for (const found of [
    run(guided, "denoise", { ...shared, x: overwritten }),
    run(guided, "step", { ...shared, x: state }),
  ]) {
    expectClose(found.logits!, logits);
    expectClose(found.x0!, x0);
  }
});

test.each(samplers)("%s calls the guided network", (kind) => {
  const plain = load({ sampler: { kind } });
  const guided = load({ sampler: { kind, guidance: { scale: 2 } } });
  const l = run(plain, "denoise", { ...shared, x: overwritten }).x0!;
  const u = run(plain, "denoise", free).x0!;
  expectClose(
    run(guided, "step", { ...shared, x: state }).x0!,
    l.map((v, i) => u[i]! + 3 * (v - u[i]!)),
  );
});
