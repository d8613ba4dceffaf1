// A network that is told the time of each position. Nothing in the one here looks beyond its position (a short convolution
// of one tap), so position p answers as the same network does that is told p's time for all.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Module } from "../../src/ir/graph.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";
import { typeText } from "../../src/ir/type.js";

const [batch, length, dim] = [2, 5, 6];
const directory = mkdtempSync(join(tmpdir(), "dlmc-told-"));
afterAll(() => rmSync(directory, { recursive: true }));

const lag = { per_position: { kind: "lag", lag: 1 } };

function load(change: object, own: boolean, synthetic = 7): Module {
  const model = join(directory, "model.json");
  const description = {
    version: 1,
    state_space: { kind: "continuous_embedding", vocab_size: 13, seq_len: length },
    embedding: { dim },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 3, ...(own && lag) },
    blocks: { repeat: 2, mixer: { kind: "short_conv", taps: 1 } },
    ...change,
  };
  writeFileSync(model, JSON.stringify(description));
  return loadModel({ model, synthetic }).module;
}

const wave = (size: number, f: number): Float64Array =>
  Float64Array.from({ length: size }, (_, i) => Math.fround(Math.sin(f * (i + 1))));
const told = {
  level: wave(batch * length, 2.3),
  prior_scale: wave(batch * length, 1.1),
  c_in: wave(batch * length, 0.9),
};
const scales = { c_skip: wave(batch * length, 0.7), c_out: wave(batch * length, 1.9) };
const numbers: Readonly<Record<string, Float64Array>> = { ...told, ...scales };

/** x0 of @denoise, its numbers of a level taken by `of` their name. */
function denoise(
  module: Module,
  shape: readonly number[],
  of: (values: Float64Array) => Float64Array,
): Float64Array {
  const graph = findGraph(module, "denoise")!;
  const state = (f: number): Tensor => tensor("f32", [batch, length, dim], wave(batch * length * dim, f));
  const inputs = graph.inputs.map(({ hint }) => {
    const values = numbers[hint!];
    return values ? tensor("f32", shape, of(values)) : state(hint === "x" ? 1.3 : 0.6);
  });
  return evaluate(module, "denoise", inputs)[0]!.data;
}

const embedded = { x0_from: "softmax_embedding", prior_skip: "alpha_over_sigma2" };
const norm = { embedding: { dim, normalization: "unit_sqrt_d" } };
const sinusoidal = (features: number) => ({ features: { kind: "sinusoidal", dim: features } });
const cases = {
  "additive, an odd number of features": {
    time_conditioning: { injection: "additive", ...sinusoidal(7), mlp: { dims: [5, dim] } },
  },
  "ada_ln with the final norm and an added vector": {
    time_conditioning: {
      injection: "ada_ln",
      ...sinusoidal(6),
      mlp: { dims: [8] },
      additive: [{ out: dim }],
    },
  },
  "the number itself": {
    time_conditioning: {
      injection: "ada_ln",
      features: { kind: "number" },
      mlp: { dims: [] },
      chunks: ["shift"],
    },
  },
  "the prior skip": { ...norm, prediction_type: embedded, time_conditioning: { injection: "additive" } },
  "EDM's factors": {
    embedding: { dim, input_preconditioning: "unit_variance" },
    prediction_type: { target: "edm" },
    time_conditioning: { injection: "additive", ...sinusoidal(6) },
  },
};

describe.each(Object.entries(cases))("%s", (_, change) => {
  test("each position answers as if its time were everyone's", () => {
    const own = denoise(load(change, true), [batch, length], (values) => values);
    const shared = load(change, false);
    for (let p = 0; p < length; p++) {
      const alone = denoise(shared, [batch], (values) =>
        Float64Array.from({ length: batch }, (_, row) => values[row * length + p]!),
      );
      for (let row = 0; row < batch; row++)
        for (let c = 0; c < dim; c++) {
          const i = (row * length + p) * dim + c;
          expect(own[i]).toBeCloseTo(alone[i]!, 12);
        }
    }
  });
});

describe("what has a position axis", () => {
  const steps = 3;
  const table = {
    family: "table",
    alpha_bars: [0.9, 0.5, 0.01].map((value) => Array.from({ length }, (_, p) => value * (1 - p / 50))),
    discretization: { kind: "given_beta", num_train_steps: steps },
  };
  const step = (change: object, own: boolean) =>
    Object.fromEntries(
      findGraph(load(change, own), "step")!.inputs.map(({ hint, type }) => [hint, typeText(type)]),
    );
  const time = (input: string) => ({ time_conditioning: { injection: "additive", input } });

  test.each([
    ["a grid of positions, the time told", time("t"), true, "f32[1, L]", "f32[L, 4]"],
    ["a grid of positions, the noise told", time("gamma"), true, "f32[1, L]", "f32[L, 4]"],
    ["a grid of positions, always one number told", time("constant"), true, "f32[1]", "f32[L, 4]"],
    ["one grid", time("t"), false, "f32[1]", "f32[4]"],
  ])("%s", (_, change, own, level, coefficients) => {
    expect(step(change, own)).toMatchObject({ level, coefficients });
  });

  test.each([
    ["t_index", "f32[1]"],
    ["alpha", "f32[1, L]"],
  ])("a schedule of positions, %s told", (input, level) => {
    const change = { noise_schedule: table, timesteps: { kind: "all" }, ...time(input) };
    expect(step(change, false)).toMatchObject({ level, coefficients: "f32[L, 4]" });
  });

  test("times listed for each position", () => {
    const values = [Array.from({ length }, () => 0.9), Array.from({ length }, (_, p) => 0.9 - p / 10)];
    const change = { timesteps: { kind: "table", values }, ...norm, prediction_type: embedded };
    expect(step(change, false)).toMatchObject({ prior_scale: "f32[1, L]", coefficients: "f32[L, 4]" });
  });

  test("a sampler alone", () => {
    const change = {
      part: "sampler",
      blocks: undefined,
      timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 3, ...lag },
    };
    const update = findGraph(load(change, true), "update")!;
    expect(typeText(update.inputs.find(({ hint }) => hint === "coefficients")!.type)).toBe("f32[L, 4]");
  });
});
