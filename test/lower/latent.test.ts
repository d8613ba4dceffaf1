// Latents of an autoencoder against closed forms: the optimal denoisers of a Gaussian and of a mixture of points, from
// noise to the file's units, on the reference and on ONNX Runtime.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../src/api/compile.js";
import { type GenerateOptions, openSession } from "../../src/api/generate.js";
import { loadModel } from "../../src/api/load.js";
import { seededNoise } from "../../src/diffusion/normal.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import type { TokenState } from "../../src/runtime/index.js";
import { DlmcError } from "../../src/support/diagnostic.js";
import { encodeSafetensors } from "../../src/weights/writer.js";

const [length, width, batch, seed] = [5, 6, 2, 9];
const directory = mkdtempSync(join(tmpdir(), "dlmc-latent-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A network that gives 0: nothing of the trunk is left after its one branch. */
const silent = {
  version: 1,
  state_space: { kind: "latent", seq_len: length, standardization: { mean: "channel", scale: "scalar" } },
  embedding: { dim: width },
  noise_schedule: { family: "cosine", offset: 0, discretization: { kind: "continuous" } },
  timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 4 },
  prediction_type: { target: "v", final_norm: { kind: "none" } },
  sampler: { kind: "ddim" },
  blocks: {
    placement: "none",
    mixer_branch: { residual: false, scale: 0 },
    mixer: { kind: "attention", heads: 1 },
    ffn: { kind: "none" },
  },
};

function modelFile(change: object = {}): string {
  const file = join(directory, "model.json");
  writeFileSync(file, JSON.stringify({ ...silent, ...change }));
  return file;
}

async function last(options: Partial<GenerateOptions>): Promise<TokenState> {
  const session = await openSession({
    model: join(directory, "model.json"),
    target: "reference",
    ...(options.weights === undefined && { synthetic: 3 }),
    seed,
    batch,
    ...options,
  });
  try {
    let state: TokenState | undefined;
    for await (const each of session.states()) state = each;
    return state!;
  } finally {
    await session.close();
  }
}

/** Worst absolute difference. */
const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)));
};

describe("a Gaussian of variance one", () => {
  // Its optimal v is 0, so x0 = alpha x, and DDIM multiplies by alpha_s alpha + sigma_s sigma = cos of the angle between
  // two levels; cosine without offset makes the angle t pi / 2.
  const times = [0.9, 0.9 - 0.8 / 3, 0.9 - 1.6 / 3, 0.1, 0];
  const shrunk = times.slice(1).reduce((f, t, i) => f * Math.cos(((times[i]! - t) * Math.PI) / 2), 1);
  const start = Float64Array.from(seededNoise(seed, batch, length, width)(0));

  test.each(["none", "scalar", "channel"] as const)("standardised with a %s statistic", async (kind) => {
    const model = modelFile({
      state_space: { kind: "latent", seq_len: length, standardization: { mean: kind, scale: kind } },
    });
    const { store } = loadModel({ model, synthetic: 3 });
    const statistic = (name: string, instead: number): ((channel: number) => number) => {
      if (kind === "none") return () => instead;
      const { data } = store.read(`latent.${name}`);
      expect(data.length).toBe(kind === "scalar" ? 1 : width);
      return (channel) => data[channel % data.length]!;
    };
    const [mean, scale] = [statistic("mean", 0), statistic("scale", 1)];
    const expected = start.map((v, i) => scale(i % width) * shrunk * v + mean(i % width));
    const reference = await last({});
    expect(apart(reference.latents!, expected)).toBeLessThan(1e-12);
    expect([...reference.tokens]).toEqual([]);
    expect(reference.logits).toBeUndefined();
    // Four products and a sum in float32 of numbers below 5.
    expect(apart((await last({ target: "onnx" })).latents!, expected)).toBeLessThan(5e-6);
  });

  test("in one ONNX Loop, through @decode", async () => {
    const model = modelFile();
    compile({ target: "onnx", model, synthetic: 3, sample: true, outDir: join(directory, "out") });
    const ort = createRequire(import.meta.url)("onnxruntime-node") as typeof import("onnxruntime-node");
    const session = await ort.InferenceSession.create(join(directory, "out", "sample.onnx"));
    expect(session.outputNames).toEqual(["x_last", "x0", "latents"]);
    // Rows of the plan by hand: x0 = alpha x; x_s = a x0 + b x, with noise / sigma left in b.
    const angle = (t: number): number => (t * Math.PI) / 2;
    const steps = times.length - 1;
    const row = (f: (t: number, s: number) => number[]): Float32Array =>
      Float32Array.from(Array.from({ length: steps }, (_, i) => f(times[i]!, times[i + 1]!)).flat());
    const [cos, sin] = [Math.cos, Math.sin];
    const coefficients = row((t, s) => {
      const b = sin(angle(s)) / sin(angle(t));
      return [cos(angle(s)) - b * cos(angle(t)), b, 0, 0];
    });
    const of = (data: Float32Array, dims: number[]) => new ort.Tensor("float32", data, dims);
    const results = await session.run({
      x: of(Float32Array.from(start), [batch, length, width]),
      c_skip: of(
        row((t) => [cos(angle(t))]),
        [steps],
      ),
      c_out: of(
        row((t) => [-sin(angle(t))]),
        [steps],
      ),
      noise: of(new Float32Array(steps * start.length), [steps, batch, length, width]),
      coefficients: of(coefficients, [steps, 4]),
    });
    await session.release();
    const { store } = loadModel({ model, synthetic: 3 });
    const [mean, [scale]] = [store.read("latent.mean").data, store.read("latent.scale").data];
    const expected = start.map((v, i) => scale! * shrunk * v + mean[i % width]!);
    expect(apart(results.latents!.data as Float32Array, expected)).toBeLessThan(5e-6);
  });
});

test("a mixture of points of one norm: one step lands on their mean under the posterior", async () => {
  // The posterior weight of point m_k is softmax_k(alpha <x, m_k> / sigma^2): attention to the points, as they are.
  const time = 0.6;
  const [alpha, sigma] = [Math.cos((time * Math.PI) / 2), Math.sin((time * Math.PI) / 2)];
  const points = Array.from({ length: 3 }, (_, k) =>
    Array.from({ length: width }, (_, c) => ((c + k) % width < 3 ? 1.5 : -1.5) * (c === k ? -1 : 1)),
  );
  const model = modelFile({
    timesteps: { kind: "table", values: [time] },
    prediction_type: { target: "x0", final_norm: { kind: "none" } },
    blocks: {
      ...silent.blocks,
      mixer_branch: { scale: 0 },
      cross_branch: { residual: false },
      cross_attention: { heads: 1, scale: 1, bias: { qkv: false, out: false } },
    },
    conditioning: { kind: "none", encoder: { length: 3, dim: width } },
  });
  const { parameters, store } = loadModel({ model, synthetic: 3 });
  const identity = (factor: number): Float64Array =>
    Float64Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? factor : 0));
  const own = (name: string): Float64Array =>
    name.includes("cross.")
      ? identity(name.includes("cross.q.") ? alpha / sigma ** 2 : 1)
      : store.read(name).data;
  const weights = join(directory, "points.safetensors");
  const tensors = parameters.map(({ name, shape }) => ({
    name,
    shape,
    dtype: "F32" as const,
    bytes: () => new Uint8Array(Float32Array.from(own(name)).buffer),
  }));
  writeFileSync(weights, encodeSafetensors(tensors));

  const start = Float64Array.from(seededNoise(seed, batch, length, width)(0));
  const [mean, [scale]] = [store.read("latent.mean").data, store.read("latent.scale").data];
  const expected = new Float64Array(start.length);
  for (let at = 0; at < start.length; at += width) {
    const x = start.subarray(at, at + width);
    const odds = points.map((point) =>
      Math.exp((alpha / sigma ** 2) * point.reduce((sum, m, c) => sum + m * x[c]!, 0)),
    );
    const total = odds.reduce((sum, w) => sum + w, 0);
    for (let c = 0; c < width; c++) {
      const x0 = points.reduce((sum, point, k) => sum + (odds[k]! / total) * point[c]!, 0);
      expected[at + c] = scale! * x0 + mean[c]!;
    }
  }
  const encoder = { values: Float64Array.from(points.flat()), shape: [3, width] };
  for (const [target, most] of [
    ["reference", 1e-6],
    ["onnx", 2e-5],
  ] as const) {
    const { latents } = await last({ target, encoder, weights });
    // The weights alpha / sigma^2 are float32 numbers in both.
    expect(apart(latents!, expected), target).toBeLessThan(most);
  }
});

test("latents of a norm: every prediction is brought to it", () => {
  const { module } = loadModel({
    model: modelFile({
      state_space: { kind: "latent", seq_len: length, normalization: "unit_sqrt_d" },
      prediction_type: { target: "x0", final_norm: { kind: "none" } },
      blocks: { ...silent.blocks, mixer_branch: {} },
    }),
    synthetic: 5,
  });
  const x = Float64Array.from({ length: length * width }, (_, i) => Math.sin(3 * i + 1));
  const state = tensor("f32", [1, length, width], x);
  const plain = loadModel({
    model: modelFile({
      prediction_type: { target: "x0", final_norm: { kind: "none" } },
      blocks: { ...silent.blocks, mixer_branch: {} },
    }),
    synthetic: 5,
  }).module;
  const [predicted] = evaluate(plain, "denoise", [state]);
  const coefficients = tensor("f32", [4], Float64Array.of(0.5, 0.25, 0, 0));
  const [next, x0] = evaluate(module, "step", [state, state, coefficients]);
  for (let i = 0; i < x.length; i++) {
    const row = predicted!.data.subarray(i - (i % width), i - (i % width) + width);
    const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / width);
    expect(x0!.data[i]).toBeCloseTo(predicted!.data[i]! / norm, 12);
    expect(next!.data[i]).toBeCloseTo((0.5 * predicted!.data[i]!) / norm + 0.25 * x[i]!, 12);
  }
});

test("a learned null is the previous prediction of the first step alone", async () => {
  // The network gives x + the previous prediction; DDIM moves x by hand.
  const model = modelFile({
    self_conditioning: { combine: "sum", null: "learned" },
    prediction_type: { target: "x0", final_norm: { kind: "none" } },
    blocks: { ...silent.blocks, mixer_branch: { scale: 0 } },
  });
  const { store } = loadModel({ model, synthetic: 3 });
  const none = store.read("self_conditioning.null").data;
  const times = [0.9, 0.9 - 0.8 / 3, 0.9 - 1.6 / 3, 0.1, 0];
  const [cos, sin] = [(t: number) => Math.cos((t * Math.PI) / 2), (t: number) => Math.sin((t * Math.PI) / 2)];
  let x = Float64Array.from(seededNoise(seed, batch, length, width)(0));
  let previous = x.map((_, i) => none[i % width]!);
  times.slice(1).forEach((s, i) => {
    const t = times[i]!;
    const x0 = x.map((v, k) => v + previous[k]!);
    x = x.map((v, k) => cos(s) * x0[k]! + (sin(s) * (v - cos(t) * x0[k]!)) / sin(t));
    previous = x0;
  });
  const [mean, [scale]] = [store.read("latent.mean").data, store.read("latent.scale").data];
  const expected = x.map((v, i) => scale! * v + mean[i % width]!);
  expect(apart((await last({})).latents!, expected)).toBeLessThan(1e-11);
  // Four steps in float32 of numbers below 20.
  expect(apart((await last({ target: "onnx" })).latents!, expected)).toBeLessThan(5e-5);

  compile({ target: "onnx", model, synthetic: 3, sample: true, outDir: join(directory, "null") });
  const ort = createRequire(import.meta.url)("onnxruntime-node") as typeof import("onnxruntime-node");
  const session = await ort.InferenceSession.create(join(directory, "null", "sample.onnx"));
  expect(session.inputNames).toEqual(["x", "noise", "coefficients"]);
  const start = seededNoise(seed, batch, length, width)(0);
  const coefficients = times.slice(1).flatMap((s, i) => {
    const b = sin(s) / sin(times[i]!);
    return [cos(s) - b * cos(times[i]!), b, 0, 0];
  });
  const of = (data: Float32Array, dims: number[]) => new ort.Tensor("float32", data, dims);
  const results = await session.run({
    x: of(Float32Array.from(start), [batch, length, width]),
    noise: of(new Float32Array(4 * start.length), [4, batch, length, width]),
    coefficients: of(Float32Array.from(coefficients), [4, 4]),
  });
  await session.release();
  expect(apart(results.latents!.data as Float32Array, expected)).toBeLessThan(5e-5);
});

test("tokens cannot be given", async () => {
  modelFile();
  const failure = await last({ tokens: [1, null] }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DlmcError);
  expect((failure as DlmcError).diagnostics[0]!.code).toBe("generate/fixed-latents");
});
