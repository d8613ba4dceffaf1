// A self-conditioned network of tokens small enough to be written down: whole generations on every target beside the
// formula, which keeps its own memory of what it said before.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { type LoadedModel, loadModel } from "../../src/api/load.js";
import { planOfModel } from "../../src/api/sampler-source.js";
import { referenceRunner } from "../../src/reference/runner.js";
import { tokenRunnerOf } from "../../src/runtime/any-runner.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { TokenRunner } from "../../src/runtime/token-runner.js";
import { mainDriver } from "../emit-wgsl/device.js";
import { bundle, bundleProcess } from "../webgpu/bundle-process.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-self-tokens-"));
afterAll(() => rmSync(directory, { recursive: true }));

const [length, vocabulary, dim, batch, steps, synthetic, seed] = [7, 9, 4, 2, 4, 6, 5];
const [scale, cap, warm, cold] = [2, 5, 1.2, 0.6];
const model = join(directory, "model.json");
writeFileSync(
  model,
  JSON.stringify({
    version: 1,
    state_space: { kind: "uniform", vocab_size: vocabulary, seq_len: length },
    embedding: { dim, scale },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: steps + 1 },
    self_conditioning: { combine: "residual_concat_linear", temperature: "sampler" },
    prediction_type: { logit_softcap: cap, final_norm: { kind: "none" } },
    blocks: {
      norm: { kind: "rms", eps: 0.01 },
      mixer: { kind: "attention", heads: 1, projection: "separate", bias: { qkv: false, out: false } },
      ffn: { kind: "none" },
    },
    rounding_head: { kind: "linear", tied: true, bias: false },
    sampler: {
      kind: "confidence",
      temperature: warm,
      final_temperature: cold,
      renoise: "uniform",
      blocks: { length: 4 },
    },
  }),
);

type Rows = readonly (readonly number[])[];
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, c) => sum + v * b[c]!, 0);
const mix = (weights: readonly number[], rows: Rows) =>
  rows[0]!.map((_, c) => weights.reduce((sum, w, i) => sum + w * rows[i]![c]!, 0));
const plus = (a: readonly number[], b: readonly number[]) => a.map((v, c) => v + b[c]!);
const softmax = (x: readonly number[]) => {
  const e = x.map((v) => Math.exp(v - Math.max(...x)));
  return e.map((v) => v / e.reduce((sum, w) => sum + w, 0));
};

/** The logits of one text, [L, V]; `before` are the logits that were read at `temperature`. */
function formula({ module }: LoadedModel, tokens: readonly number[], before?: Rows, temperature = 1): Rows {
  const matrix = (name: string): Rows => {
    const { data, shape } = module.weights.read(name);
    const width = shape.at(-1)!;
    return Array.from({ length: data.length / width }, (_, i) => [
      ...data.subarray(i * width, (i + 1) * width),
    ]);
  };
  const apply = (name: string, x: readonly number[]) => matrix(name).map((row) => dot(row, x));
  const table = matrix("embedding.table");
  const states = tokens.map((token, i) => {
    const x = table[token]!.map((v) => scale * v);
    const y = before
      ? mix(softmax(before[i]!.map((l) => l / temperature)), table).map((v) => scale * v)
      : x.map(() => 0);
    return plus(x, apply("self_conditioning.weight", [...x, ...y]));
  });
  const gain = matrix("blocks.0.norm1.weight")[0]!;
  const normed = states.map((x) => {
    const root = Math.sqrt(dot(x, x) / dim + 0.01);
    return x.map((v, c) => (gain[c]! * v) / root);
  });
  const [queries, keys, values] = ["q", "k", "v"].map((part) =>
    normed.map((x) => apply(`blocks.0.mixer.${part}.weight`, x)),
  ) as unknown as [Rows, Rows, Rows];
  return states.map((x, i) => {
    const seen = softmax(keys.map((key) => dot(queries[i]!, key) / Math.sqrt(dim)));
    const h = plus(x, apply("blocks.0.mixer.out_proj.weight", mix(seen, values)));
    return table.map((e) => cap * Math.tanh(dot(h, e) / cap));
  });
}

/** The formula as a network that remembers within a block of `steps` calls, or never. */
function formulaRunner(loaded: LoadedModel, remembers: boolean): TokenRunner {
  let calls = 0;
  let said: Rows[] = [];
  return {
    length,
    vocabulary,
    selfConditioned: true,
    async logits({ tokens }) {
      const k = calls++ % steps;
      const temperature = warm + ((cold - warm) * (k - 1)) / (steps - 1);
      said = Array.from({ length: batch }, (_, row) => {
        const own = [...tokens.subarray(row * length, (row + 1) * length)];
        return remembers && k > 0 ? formula(loaded, own, said[row], temperature) : formula(loaded, own);
      });
      return Float64Array.from(said.flat(2));
    },
    async dispose() {},
  };
}

async function byFormula(remembers: boolean): Promise<number[][]> {
  const loaded = loadModel({ model, synthetic });
  const plan = planOfModel(loaded);
  if (!("kind" in plan && plan.kind === "tokens")) throw new Error("no plan of tokens");
  const seen: number[][] = [];
  for await (const { tokens } of decodeTokens(formulaRunner(loaded, remembers), { plan, batch, noise: seed }))
    seen.push([...tokens]);
  return seen;
}

let made: Promise<number[][]> | undefined;
const expected = (): Promise<number[][]> => (made ??= byFormula(true));

test("the second call uses the first one's logits, at their temperature", async () => {
  const loaded = loadModel({ model, synthetic });
  const runner = tokenRunnerOf(referenceRunner(loaded.module));
  const tokens = Int32Array.from({ length }, (_, i) => (5 * i + 2) % vocabulary);
  const inputs = { batch: 1, tokens, level: [0] };
  const first = formula(loaded, [...tokens]);
  const given = { ...inputs, previous: { logits: Float64Array.from(first.flat()), temperature: 0.7 } };
  const second = formula(loaded, [...tokens], first, 0.7);
  for (const [call, wanted] of [
    [inputs, first],
    [given, second],
  ] as const) {
    const found = await runner.logits(call);
    expect(Math.max(...wanted.flat().map((v, i) => Math.abs(v - found[i]!)))).toBeLessThan(1e-12);
  }
  expect(Math.max(...second.flat().map((v, i) => Math.abs(v - first.flat()[i]!)))).toBeGreaterThan(0.05);
});

test("memory decides what is generated", async () => {
  expect(await expected()).toHaveLength(2 * steps + 1);
  expect(await byFormula(false)).not.toEqual(await expected());
});

test.each(["reference", "onnx"])("the same tokens after every update: %s", async (target) => {
  const session = await openSession({ model, target, synthetic, batch });
  const seen: number[][] = [];
  for await (const state of session.states(seed)) seen.push([...state.tokens]);
  await session.close();
  expect(seen).toEqual(await expected());
});

test("on WebGPU, where previous logits stay on the device", async () => {
  const process = await bundleProcess(mainDriver);
  if (process === undefined) return;
  const { directory: built, remove } = bundle({ model, synthetic, batch });
  try {
    // Twice: the second text finds what the first one left.
    for (let k = 0; k < 2; k++)
      expect((await process.generate({ directory: built, options: { seed } })).tokens).toEqual(
        await expected(),
      );
  } finally {
    remove();
    process.close();
  }
}, 120_000);
