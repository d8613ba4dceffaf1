// A network that gives no numbers is an error of every loop, and not a text.
import { expect, test } from "vitest";
import { planSampler } from "../../src/diffusion/plan.js";
import { planOf } from "../../src/diffusion/plan-of.js";
import { generateTokens } from "../../src/runtime/generate-tokens.js";
import { generate } from "../../src/runtime/index.js";
import type { StepRunner } from "../../src/runtime/step-runner.js";
import type { TokenRunner } from "../../src/runtime/token-runner.js";

const [length, n] = [3, 5];
const schedule = {
  noise_schedule: { family: "log_linear" },
  timesteps: { kind: "linspace", num_steps: 3 },
} as const;
const state_space = { kind: "absorbing", vocab_size: n };

/** Logits of zeros but for one number. */
const tokens = (position: number, value: number): TokenRunner => ({
  length,
  vocabulary: n,
  logits: async () =>
    Float64Array.from({ length: length * n }, (_, i) => (i === position * n + 2 ? value : 0)),
  async dispose() {},
});

async function last(runner: TokenRunner, kind: string, given?: number): Promise<Int32Array> {
  const plan = planOf({ ...schedule, state_space, sampler: { kind } });
  const mask = Uint8Array.from({ length }, (_, i) => (i === given ? 1 : 0));
  let found: Int32Array | undefined;
  const options = { plan, ...(given !== undefined && { fixed: { tokens: new Int32Array(length), mask } }) };
  for await (const { tokens: each } of generateTokens(runner, options)) found = each;
  return found!;
}

test.each(["ancestral", "first_hitting", "confidence"])("%s", async (kind) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
    for (const given of [undefined, 1])
      await expect(last(tokens(1, value), kind, given)).rejects.toThrow("generate/not-finite");
  // A probability of 0 is none.
  expect([...(await last(tokens(1, Number.NEGATIVE_INFINITY), kind))]).not.toContain(n - 1);
});

test("a continuous state", async () => {
  const state = new Float64Array(length * 2);
  const runner: StepRunner = {
    length,
    dim: 2,
    vocabulary: n,
    embed: async () => state,
    step: async () => ({ x: state, x0: state, tokens: new Int32Array(length) }),
    round: async () => ({
      logits: new Float64Array(length * n).fill(Number.NaN),
      tokens: new Int32Array(length),
    }),
    async dispose() {},
  };
  const plan = planSampler({
    noise_schedule: { family: "cosine" },
    timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 2 },
    sampler: { kind: "ddpm", final: "round" },
  });
  const states: number[] = [];
  const run = async (): Promise<void> => {
    for await (const { step } of generate(runner, { plan })) states.push(step);
  };
  await expect(run()).rejects.toThrow("generate/not-finite");
  expect(states).toEqual([1, 2]);
});
