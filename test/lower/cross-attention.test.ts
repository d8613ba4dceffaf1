// Cross-attention in a whole network against plain loops, with what passes make of it; and an encoder's output as the
// runtime takes it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { loadModel } from "../../src/api/load.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Module } from "../../src/ir/graph.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";
import { canonicalise } from "../../src/passes/canonicalise.js";
import { hoistEncoder } from "../../src/passes/hoist-encoder.js";
import { mergeDuplicates } from "../../src/passes/merge-duplicates.js";
import { runPasses } from "../../src/passes/pass.js";
import { generateTokensToEnd, type Plan, type Runner, type StepRunner } from "../../src/runtime/index.js";

const [length, width, positions, dim, heads, batch] = [5, 6, 4, 3, 3, 2];
const directory = mkdtempSync(join(tmpdir(), "dlmc-cross-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** x0 = x + cross(x): the mixer's branch is multiplied by 0, nothing else stands in the trunk. */
const bare = {
  version: 1,
  state_space: { kind: "continuous_embedding", vocab_size: 9, seq_len: length },
  embedding: { dim: width },
  noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
  timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 3 },
  time_conditioning: { injection: "none" },
  prediction_type: { final_norm: { kind: "none" } },
  blocks: {
    placement: "none",
    mixer_branch: { scale: 0 },
    mixer: { kind: "attention", heads: 1 },
    cross_attention: { heads, kv_heads: 1, qk_norm: { kind: "rms", affine: "weight" } },
    ffn: { kind: "none" },
  },
  rounding_head: { kind: "l2_nearest" },
  conditioning: {
    kind: "fixed_positions",
    encoder: { length: positions, dim, in_proj: [{ out: 2, activation: "tanh" }] },
  },
};

function modelFile(change: object = {}): string {
  const file = join(directory, "model.json");
  writeFileSync(file, JSON.stringify({ ...bare, ...change }));
  return file;
}

const wave = (shape: readonly number[], phase: number): Tensor =>
  tensor(
    "f32",
    shape,
    Float64Array.from({ length: shape.reduce((n, s) => n * s, 1) }, (_, i) => Math.sin(3 * i + phase)),
  );
const x = wave([batch, length, width], 1);
const encoder = wave([batch, positions, dim], 2);
const shown = [1, 0, 1, 1, 0, 0, 0, 1];
const inputs: Readonly<Record<string, Tensor>> = {
  x,
  encoder,
  encoder_mask: tensor("bool", [batch, positions], Float64Array.from(shown)),
};

function run(module: Module, name: string, given: Readonly<Record<string, Tensor>>): readonly Tensor[] {
  return evaluate(
    module,
    name,
    findGraph(module, name)!.inputs.map(({ hint }) => given[hint!]!),
  );
}

test("is softmax(scale q k^T) v over the positions that are there", () => {
  const { module, store } = loadModel({ model: modelFile(), synthetic: 3 });
  const weight = (name: string) => store.read(name).data;
  /** W v + b of the layer. */
  const layer = (name: string, v: readonly number[]): number[] => {
    const [matrix, bias] = [weight(`${name}.weight`), weight(`${name}.bias`)];
    return Array.from(bias, (b, o) =>
      v.reduce((sum, value, i) => sum + matrix[o * v.length + i]! * value, b),
    );
  };
  const row = (t: Tensor, b: number, i: number): number[] => {
    const [, n, d] = t.shape as [number, number, number];
    return Array.from(t.data.subarray((b * n + i) * d, (b * n + i + 1) * d));
  };
  const size = width / heads;
  const normed = (name: string, v: readonly number[]): number[] => {
    const scale = 1 / Math.sqrt(v.reduce((sum, value) => sum + value * value, 0) / v.length + 1e-6);
    return v.map((value, c) => value * scale * weight(name)[c]!);
  };
  const found = run(module, "denoise", inputs)[0]!;
  const at = "blocks.0.cross";
  for (let b = 0; b < batch; b++) {
    const texts = Array.from({ length: positions }, (_, s) =>
      layer("encoder.in_proj.0", row(encoder, b, s)).map(Math.tanh),
    );
    const keys = texts.map((text) => normed(`${at}.k_norm.weight`, layer(`${at}.k`, text)));
    const values = texts.map((text) => layer(`${at}.v`, text));
    for (let i = 0; i < length; i++) {
      const q = layer(`${at}.q`, row(x, b, i));
      const mixed: number[] = [];
      for (let h = 0; h < heads; h++) {
        const query = normed(`${at}.q_norm.weight`, q.slice(h * size, (h + 1) * size));
        const weights = keys.map((key, s) =>
          shown[b * positions + s] === 0
            ? 0
            : Math.exp(key.reduce((sum, k, c) => sum + k * query[c]!, 0) / Math.sqrt(size)),
        );
        const total = weights.reduce((sum, w) => sum + w, 0);
        for (let c = 0; c < size; c++)
          mixed.push(values.reduce((sum, v, s) => sum + (weights[s]! / total) * v[c]!, 0));
      }
      const expected = layer(`${at}.out_proj`, mixed).map((y, c) => y + row(x, b, i)[c]!);
      row(found, b, i).forEach((y, c) => {
        expect(y).toBeCloseTo(expected[c]!, 12);
      });
    }
  }
});

test("@encode and what reads it have the inline form's values, bit for bit", () => {
  const blocks = { ...bare.blocks, repeat: 2, mixer_branch: {}, placement: "pre" };
  const { module } = loadModel({ model: modelFile({ blocks }), synthetic: 4 });
  const hoisted = runPasses(module, [canonicalise, mergeDuplicates, hoistEncoder]);
  const encode = findGraph(hoisted, "encode")!;
  // Two blocks' keys and values, shared by @denoise and @step; nobody else reads the encoder.
  expect(encode.outputNames).toHaveLength(4);
  for (const name of ["denoise", "step"])
    expect(findGraph(hoisted, name)!.inputs.map(({ hint }) => hint)).not.toContain("encoder");
  const encoded = Object.fromEntries(
    run(hoisted, "encode", inputs).map((value, i) => [encode.outputNames[i]!, value]),
  );
  const inline = run(module, "denoise", inputs);
  const found = run(hoisted, "denoise", { ...inputs, ...encoded });
  inline.forEach((value, i) => {
    expect([...found[i]!.data]).toEqual([...value.data]);
  });
});

const session = (target: string, change?: object) =>
  openSession({ model: modelFile(change), target, synthetic: 5, batch });

/** Tokens with an encoder given. */
async function tokens(runner: Runner, plan: Plan, given?: object): Promise<number[]> {
  const state = await generateTokensToEnd(runner, { plan, batch, noise: 3, ...(given as object) });
  return [...state.tokens];
}

test("two generations at once keep their own encoders", async () => {
  const { runner, plan, close } = await session("onnx");
  const first = { encoder: { values: encoder.data, shape: encoder.shape } };
  const second = { encoder: { values: encoder.data.map((v) => 40 * v), shape: encoder.shape } };
  const alone = [await tokens(runner, plan, first), await tokens(runner, plan, second)];
  expect(alone[0]).not.toEqual(alone[1]);
  const together = await Promise.all([tokens(runner, plan, first), tokens(runner, plan, second)]);
  expect(together).toEqual(alone);
  await close();
});

test("fewer positions are the same as hidden ones, one text the same as that text in every row", async () => {
  const { runner, plan, close } = await session("reference");
  const three = encoder.data.slice(0, 3 * dim);
  const padded = new Float64Array(positions * dim).fill(7);
  padded.set(three);
  const short = { values: three, shape: [3, dim] };
  const hidden = { values: padded, shape: [positions, dim], mask: Uint8Array.of(1, 1, 1, 0) };
  const twice = { values: Float64Array.from([...three, ...three]), shape: [batch, 3, dim] };
  const expected = await tokens(runner, plan, { encoder: short });
  expect(await tokens(runner, plan, { encoder: hidden })).toEqual(expected);
  expect(await tokens(runner, plan, { encoder: twice })).toEqual(expected);
  await close();
});

test.each([
  ["generate/encoder-missing", undefined],
  ["generate/encoder-size", { values: encoder.data, shape: [batch * positions, dim] }],
  ["generate/encoder-size", { values: encoder.data, shape: [batch, positions, dim + 1] }],
  ["generate/encoder-size", { values: encoder.data.slice(1), shape: encoder.shape }],
  ["generate/encoder-mask", { values: encoder.data, shape: encoder.shape, mask: new Uint8Array(3) }],
  ["generate/encoder-mask", { values: encoder.data, shape: encoder.shape, mask: new Uint8Array(4) }],
] as const)("%s", async (code, given) => {
  const { runner, plan, close } = await session("reference");
  await expect(tokens(runner, plan, given && { encoder: given })).rejects.toMatchObject({
    diagnostics: [{ code }],
  });
  await close();
});

test("a runner says that its graphs need an encoder", async () => {
  const { runner, close } = await session("onnx");
  const given = new Float32Array(batch * length * width);
  const call = (runner as StepRunner).step({
    batch,
    x: given,
    previousX0: given,
    noise: given,
    row: { a: 1, b: 0, c: 0, s: 0, level: 0, priorScale: 1 } as never,
    fixedMask: new Uint8Array(batch * length),
    fixedX: given,
  });
  await expect(call).rejects.toMatchObject({ diagnostics: [{ code: "generate/encoder-missing" }] });
  await close();
});

test("a model without one takes none", async () => {
  const { cross_attention: _, ...plain } = bare.blocks;
  const { runner, plan, close } = await session("reference", {
    blocks: plain,
    conditioning: { kind: "none" },
  });
  const given = { encoder: { values: encoder.data, shape: encoder.shape } };
  await expect(tokens(runner, plan, given)).rejects.toMatchObject({
    diagnostics: [{ code: "generate/encoder-unread" }],
  });
  await close();
});
