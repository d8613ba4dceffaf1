// The same seed gives the same tokens whether settled blocks are kept or computed again, for every kind of decoder, with
// and without given tokens, on the reference, ONNX Runtime and WebGPU; and a session computes blocks, not texts.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { loadModel } from "../../src/api/load.js";
import { planOfModel } from "../../src/api/sampler-source.js";
import { referenceRunner } from "../../src/reference/runner.js";
import { tokenRunnerOf } from "../../src/runtime/any-runner.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import { generateTokens, type TokenOptions, type TokenState } from "../../src/runtime/index.js";
import type { BlockSession } from "../../src/runtime/token-runner.js";
import { mainDriver } from "../emit-wgsl/device.js";
import { bundle, bundleProcess } from "../webgpu/bundle-process.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-block-cache-"));
afterAll(() => rmSync(directory, { recursive: true }));

const length = 14;
const attention = { kind: "attention", heads: 2, rope: { kind: "rotary" }, qk_norm: { kind: "rms" } };
const convolution = { kind: "long_conv", gating: { kind: "pre_post" } };
const networks = {
  attention: {
    blocks: { repeat: 2, mixer: { ...attention, mask: { kind: "block_causal", block: 4 } } },
    embedding: { dim: 16, positions: { kind: "learned" } },
  },
  convolution: {
    blocks: [
      { mixer: { ...convolution, filter: { kind: "explicit", span: "block_causal", block: 4, groups: 4 } } },
      { mixer: { ...convolution, filter: { kind: "implicit_mlp", width: 8, span: "causal" } } },
    ],
    embedding: { dim: 16 },
    prediction_type: { logit_shift: 1 },
  },
};
const samplers = {
  ancestral: { kind: "ancestral", blocks: { length: 4 } },
  first_hitting: { kind: "first_hitting", blocks: { length: 4 } },
  sure: {
    kind: "confidence",
    quota: { kind: "threshold", threshold: 0.2 },
    temperature: 0.9,
    blocks: { length: 8 },
  },
  edited: {
    kind: "confidence",
    temperature: 0.7,
    select_temperature: 0.5,
    edit: { kind: "threshold", threshold: 0.1, max_steps: 2 },
    blocks: { length: 4 },
  },
  // Blocks that begin and end inside the mixers' own: what settles of them is less than they are.
  behind_a_prompt: { kind: "ancestral", blocks: { length: 3, from: "prompt" } },
  edited_behind_a_prompt: {
    kind: "confidence",
    temperature: 0.7,
    edit: { kind: "threshold", threshold: 0.1, max_steps: 2 },
    blocks: { length: 5, from: "prompt" },
  },
  guided: { kind: "ancestral", blocks: { length: 4 }, guidance: { scale: 2 } },
  guided_steps: { kind: "psi", blocks: { length: 3 }, guidance: { scale: 1.5, of: "step" } },
  guided_behind_a_prompt: {
    kind: "confidence",
    temperature: 0.8,
    blocks: { length: 5, from: "prompt" },
    guidance: { scale: 1.5, form: "mix" },
  },
  astride: { kind: "first_hitting", blocks: { length: 6 } },
};
type Network = keyof typeof networks;
type Sampler = keyof typeof samplers;

/** A description with or without the cache, as a file. */
function file(network: Network, sampler: Sampler, cache: "none" | "exact"): string {
  const path = join(directory, `${network}-${sampler}-${cache}.json`);
  const { blocks, ...drawn } = samplers[sampler];
  const description = {
    version: 1,
    state_space: { kind: "absorbing", vocab_size: 20, seq_len: length },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 4 },
    ...networks[network],
    conditioning: { kind: "fixed_positions" },
    sampler: { ...drawn, blocks: { ...blocks, cache } },
  };
  writeFileSync(path, JSON.stringify(description));
  return path;
}

/** Given: the first block and a half, one token in the third block, the end. */
const prompt = Array.from({ length }, (_, i) => (i < 6 || i === 9 || i === length - 1 ? (5 * i) % 19 : null));

interface Generated {
  /** After every update. */
  readonly tokens: number[][];
  /** Of the last state. */
  readonly logits: readonly number[];
  readonly margins: readonly number[];
}

async function generated(
  target: string,
  model: string,
  tokens?: readonly (number | null)[],
  seed = 9,
): Promise<Generated> {
  const session = await openSession({ model, target, synthetic: 4, batch: 2, ...(tokens && { tokens }) });
  const seen: number[][] = [];
  let last: TokenState | undefined;
  for await (last of session.states(seed)) seen.push([...last.tokens]);
  await session.close();
  return { tokens: seen, logits: [...last!.logits!], margins: [...last!.margins!] };
}

/** The largest difference over the largest number; 1 where a number is missing. */
function apart(found: readonly number[], expected: readonly number[]): number {
  const largest = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))));
  return found.length === expected.length && worst >= 0 ? worst / largest : 1;
}

const every = (Object.keys(networks) as Network[]).flatMap((network) =>
  (Object.keys(samplers) as Sampler[]).map((sampler) => [network, sampler] as const),
);

test.each(every)("%s, %s: the same tokens after every update, and logits", async (network, sampler) => {
  for (const given of [undefined, prompt]) {
    const expected = await generated("reference", file(network, sampler, "none"), given);
    expect(new Set(expected.tokens.at(-1)).size).toBeGreaterThan(3);
    for (const [target, tolerance] of [
      ["reference", 1e-12],
      ["onnx", 1e-4],
    ] as const) {
      const found = await generated(target, file(network, sampler, "exact"), given);
      expect(found.tokens, target).toEqual(expected.tokens);
      expect(apart(found.logits, expected.logits), target).toBeLessThan(tolerance);
      expect(apart(found.margins, expected.margins), target).toBeLessThan(tolerance);
    }
  }
});

test("a text with given blocks computes one block a call, and settles each block but the last once", async () => {
  const model = loadModel({ model: file("convolution", "ancestral", "exact"), synthetic: 4 });
  const runner = tokenRunnerOf(referenceRunner(model.module));
  const log: string[] = [];
  const watched: typeof runner = {
    ...runner,
    logits: () => Promise.reject(new Error("a whole text was computed")),
    openBlocks(batch) {
      const [session] = runner.openBlocks!(batch, 1);
      const watched: BlockSession = {
        ...session!,
        logits(inputs) {
          log.push(`logits ${inputs.tokens.length}`);
          return session!.logits(inputs);
        },
        settle(inputs, count) {
          log.push(`settle ${count}`);
          return session!.settle(inputs, count);
        },
        close() {
          log.push("close");
        },
      };
      return [watched];
    },
  };
  const mask = Uint8Array.from({ length }, (_, i) => (i < 8 ? 1 : 0));
  const fixed = { tokens: new Int32Array(length), mask };
  const plan = planOfModel(model);
  if (!("kind" in plan && plan.kind === "tokens")) throw new Error("no plan of tokens");
  let calls = 0;
  for await (const state of decodeTokens(watched, { plan, fixed })) calls = state.calls;
  expect(log.filter((entry) => entry === "settle 4").length).toBe(3);
  expect(log.filter((entry) => entry === "logits 4").length).toBe(calls);
  expect(log.slice(0, 2)).toEqual(["settle 4", "settle 4"]);
  expect(log.at(-1)).toBe("close");
});

test("behind the last block that was computed nothing is told, and logits are kept when wanted", async () => {
  const model = loadModel({ model: file("attention", "ancestral", "exact"), synthetic: 4 });
  const runner = tokenRunnerOf(referenceRunner(model.module));
  const plan = planOfModel(model);
  const lastOf = async (options: Pick<TokenOptions, "keepLogits" | "stop">): Promise<TokenState> => {
    let last: TokenState | undefined;
    for await (const state of generateTokens(runner, { plan, ...options })) last = state;
    return last!;
  };
  const whole = await lastOf({});
  const early = await lastOf({ stop: ({ tokens }) => tokens.subarray(4, 8).every((token) => token !== 19) });
  const n = runner.vocabulary;
  expect([...early.margins!].map(Number.isNaN)).toEqual(Array.from({ length }, (_, i) => i >= 8));
  expect([...early.logits!].map(Number.isNaN)).toEqual(
    Array.from({ length: length * n }, (_, i) => i >= 8 * n),
  );
  expect([...early.logits!.subarray(0, 4 * n)]).toEqual([...whole.logits!.subarray(0, 4 * n)]);
  const without = await lastOf({ keepLogits: false });
  expect(without.logits).toBeUndefined();
  expect(without.margins).toEqual(whole.margins);
});

test("blocks of one position under a causal mask are greedy autoregressive decoding", async () => {
  const model = "examples/autoregressive/model.json";
  const runner = tokenRunnerOf(referenceRunner(loadModel({ model, synthetic: 3 }).module));
  const [n, mask] = [runner.vocabulary, runner.vocabulary - 1];
  const expected = new Int32Array(runner.length).fill(mask);
  for (let i = 0; i < expected.length; i++) {
    const logits = await runner.logits({ batch: 1, tokens: expected, level: [0] });
    const row = [...logits.subarray(i * n, (i + 1) * n)];
    expected[i] = row.indexOf(Math.max(...row));
  }
  expect(new Set(expected).size).toBeGreaterThan(3);
  for (const target of ["reference", "onnx"]) {
    const session = await openSession({ model, target, synthetic: 3 });
    let last: Int32Array | undefined;
    for await (const state of session.states(0)) last = state.tokens;
    await session.close();
    expect([...last!], target).toEqual([...expected]);
  }
});

test("on WebGPU, through the bundle's own module, one text after the other", async () => {
  const process = await bundleProcess(mainDriver);
  if (process === undefined) return;
  try {
    for (const [network, sampler, seeds] of [
      ["convolution", "ancestral", [9, 10]],
      ["attention", "edited", [9]],
      ["convolution", "behind_a_prompt", [9]],
      ["attention", "guided_behind_a_prompt", [9, 10]],
    ] as const) {
      const { directory: built, remove } = bundle({
        model: file(network, sampler, "exact"),
        synthetic: 4,
        batch: 2,
      });
      // Without given tokens, then with: a session begins where another one ended.
      const fixed = {
        tokens: Int32Array.from(prompt, (token) => token ?? 0),
        mask: Uint8Array.from(prompt, (token) => (token === null ? 0 : 1)),
      };
      const asked = seeds.flatMap((seed) => [
        { seed, given: undefined },
        { seed, given: prompt },
      ]);
      try {
        const found = await process.generateEach({
          directory: built,
          options: asked.map(({ seed, given }) => ({ seed, ...(given && { fixed }) })),
        });
        for (const [i, { seed, given }] of asked.entries()) {
          const expected = await generated("reference", file(network, sampler, "none"), given, seed);
          expect(found[i]!.tokens, `${network}, ${sampler}`).toEqual(expected.tokens);
          expect(apart(found[i]!.logits!, expected.logits), `${network}, ${sampler}`).toBeLessThan(1e-4);
          expect(apart(found[i]!.margins!, expected.margins), `${network}, ${sampler}`).toBeLessThan(1e-4);
        }
      } finally {
        remove();
      }
    }
  } finally {
    process.close();
  }
}, 300_000);
