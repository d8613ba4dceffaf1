// Decoders without recorded upstream runs, held to their published rules in plain loops: SDAR's three remasking
// strategies, DiffusionGemma's entropy bound with renoising, greedy autoregression. The network is a formula of the tokens.

import { expect, it } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { planTokens } from "../../src/diffusion/index.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { TokenDraws } from "../../src/runtime/discrete/driver.js";
import type { TokenRunner } from "../../src/runtime/token-runner.js";

const [length, n, mask] = [12, 7, 6];

/** Logits of every position: uneven, and different for every state of the tokens. */
function logitsOf(tokens: readonly number[]): number[][] {
  const state = tokens.reduce((sum, token, j) => sum + 0.37 * (j + 1) * (token + 1), 0);
  return tokens.map((_, i) =>
    Array.from(
      { length: n },
      (_u, v) => 3 * Math.sin(1.7 * (i + 1) * (v + 2) + state) - (v === mask ? 50 : 0),
    ),
  );
}

const network: TokenRunner = {
  length,
  vocabulary: n,
  logits: async ({ tokens }) => Float64Array.from(logitsOf([...tokens]).flat()),
  async dispose() {},
};

function softmax(logits: readonly number[], temperature = 1): number[] {
  const top = Math.max(...logits);
  const e = logits.map((l) => Math.exp((l - top) / temperature));
  const sum = e.reduce((total, v) => total + v, 0);
  return e.map((v) => v / sum);
}

const entropy = (p: readonly number[]): number =>
  p.reduce((sum, v) => sum - (v > 0 ? v * Math.log(v) : 0), 0);
const argmax = (row: readonly number[]): number => row.indexOf(Math.max(...row));

/** Some token for a position in a call; the same for both sides. */
const pick = (call: number, position: number): number => (3 * call + 5 * position + call * position) % mask;

/** Draws that give what `pick` says, counting the calls of the network. */
function picking(): { readonly draws: TokenDraws; readonly runner: TokenRunner } {
  let call = 0;
  return {
    draws: { uniform: () => 0.5, chosen: (_draw, _row, position) => pick(call, position) },
    runner: {
      ...network,
      logits: (inputs) => {
        call++;
        return network.logits(inputs);
      },
    },
  };
}

type Strategy = "sequential" | "static" | "dynamic";

/** Block after block: a quota of positions becomes the drawn tokens, chosen by place or by their probability. */
function sdar(
  strategy: Strategy,
  prompt: readonly number[],
  block: number,
  steps: number,
  threshold: number,
) {
  const tokens = Array.from({ length }, (_, i) => prompt[i] ?? mask);
  const states: number[][] = [];
  let call = 0;
  for (let start = 0; start < length; start += block) {
    for (let step = 0; step < steps; step++) {
      const open = Array.from({ length: block }, (_, i) => start + i).filter((i) => tokens[i] === mask);
      if (open.length === 0) break;
      call++;
      const logits = logitsOf(tokens);
      const confidence = (i: number): number => softmax(logits[i]!)[pick(call, i)]!;
      const quota = Math.floor(block / steps) + (step < block % steps ? 1 : 0);
      const surest = [...open].sort((i, j) => confidence(j) - confidence(i));
      const high = open.filter((i) => confidence(i) > threshold);
      const taken =
        strategy === "sequential"
          ? open.slice(0, quota)
          : strategy === "dynamic" && high.length >= quota
            ? high
            : surest.slice(0, quota);
      for (const i of taken) tokens[i] = pick(call, i);
      states.push([...tokens]);
    }
  }
  return states;
}

/** Low enough that several positions reach it at once. */
const threshold = 0.1;

const quotas = {
  sequential: { kind: "uniform" },
  static: { kind: "uniform" },
  dynamic: { kind: "threshold", threshold, at_least: "uniform" },
} as const;

it.each([
  { strategy: "dynamic", block: 4, steps: 4 },
  { strategy: "dynamic", block: 6, steps: 4 },
  { strategy: "static", block: 4, steps: 4 },
  { strategy: "static", block: 6, steps: 4 },
  // One position after the other is a block of one; what a position sees is the network's mask, not the decoder's.
  { strategy: "sequential", block: 4, steps: 4 },
] as const)("SDAR, $strategy, $steps steps for $block positions", async ({ strategy, block, steps }) => {
  const blocks = strategy === "sequential" ? { length: 1, steps: 1 } : { length: block, steps };
  const plan = planTokens({
    state_space: { kind: "absorbing", vocab_size: n, mask_token_id: mask },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: blocks.steps + 1 },
    sampler: {
      kind: "confidence",
      score_from: "choice",
      temperature: 1,
      quota: quotas[strategy],
      blocks: { length: blocks.length },
    },
  });
  // A prompt of one whole block.
  const prompt = Array.from({ length: block }, (_, i) => (2 * i + 1) % mask);
  const fixed = { tokens: new Int32Array(length).fill(mask), mask: new Uint8Array(length) };
  for (const [i, token] of prompt.entries()) {
    fixed.tokens[i] = token;
    fixed.mask[i] = 1;
  }
  const { draws, runner } = picking();
  const states: number[][] = [];
  for await (const state of decodeTokens(runner, { plan, noise: draws, fixed }))
    if (!state.done) states.push([...state.tokens]);
  const expected = sdar(strategy, prompt, block, steps, threshold);
  if (strategy === "dynamic")
    expect(expected.length).toBeLessThan(sdar("static", prompt, block, steps, threshold).length);
  expect(expected.at(-1)).not.toContain(mask);
  expect(states).toEqual(expected);
});

const bounded = (
  steps: number,
  bound: number,
  stop?: { readonly kind: "stable"; readonly entropy: number },
) =>
  planTokens({
    state_space: { kind: "uniform", vocab_size: n },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: steps + 1 },
    sampler: {
      kind: "confidence",
      score_from: "choice",
      quota: { kind: "entropy_bound", bound },
      temperature: 0.8,
      final_temperature: 0.4 + 0.4 / steps,
      renoise: "uniform",
      ...(stop && { stop }),
    },
  });

/** DiffusionGemma's canvas: temperature 0.4 + 0.4 r / N with r steps remaining; sure tokens stay, the others are drawn anew. */
function canvas(start: readonly number[], steps: number, bound: number, noise: number, confident: number) {
  let tokens = [...start];
  const states: number[][] = [];
  let before: number[] = [];
  let call = 0;
  for (let remaining = steps; remaining > 0; remaining--) {
    call++;
    const logits = logitsOf(tokens).map((row) => row.map((l) => l / (0.4 + (0.4 * remaining) / steps)));
    const entropies = logits.map((row) => entropy(softmax(row)));
    const order = [...tokens.keys()].sort((i, j) => entropies[i]! - entropies[j]!);
    const accepted = new Set<number>();
    let sum = 0;
    for (const i of order) {
      sum += entropies[i]!;
      if (sum - entropies[i]! <= bound) accepted.add(i);
    }
    const best = logits.map(argmax);
    tokens = tokens.map((_, i) => (accepted.has(i) ? pick(call, i) : Math.floor(noise * n)));
    const stable = best.every((token, i) => token === before[i]);
    const mean = entropies.reduce((total, v) => total + v, 0) / length;
    before = best;
    const ends = remaining === 1 || (stable && mean < confident);
    states.push(ends ? best : [...tokens]);
    if (ends) break;
  }
  return states;
}

it.each([
  { steps: 6, bound: 0.1, confident: 0 },
  { steps: 9, bound: 2.5, confident: 0 },
])("DiffusionGemma: $steps steps under an entropy of $bound", async ({ steps, bound, confident }) => {
  const start = Int32Array.from({ length }, (_, i) => (4 * i + 2) % n);
  const { draws, runner } = picking();
  const noise = { ...draws, uniform: () => 0.6, start };
  const states: number[][] = [];
  for await (const state of decodeTokens(runner, { plan: bounded(steps, bound), noise }))
    if (!state.done) states.push([...state.tokens]);
  expect(states).toEqual(canvas([...start], steps, bound, 0.6, confident));
});

it("an entropy bound by hand: three of four fit below ln 2 + a little, the fourth becomes noise, the best ones end it", async () => {
  // Entropies 0, ln 2, ln 2, ln 2: before the third stands ln 2, before the fourth 2 ln 2.
  const sure = [50, 0, 0];
  const either = [0, 9, 9];
  const fixedNetwork: TokenRunner = {
    length: 4,
    vocabulary: 3,
    logits: async () => Float64Array.from([either, sure, either, either].flat().map((l) => 10 * l)),
    async dispose() {},
  };
  const plan = planTokens({
    state_space: { kind: "uniform", vocab_size: 3 },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 3 },
    sampler: { kind: "confidence", quota: { kind: "entropy_bound", bound: 0.7 }, renoise: "uniform" },
  });
  const noise = { uniform: () => 0.1, start: Int32Array.of(2, 2, 2, 2) };
  const states: number[][] = [];
  for await (const state of decodeTokens(fixedNetwork, { plan, noise })) states.push([...state.tokens]);
  expect(states).toEqual([
    [1, 0, 1, 0],
    [1, 0, 1, 1],
    [1, 0, 1, 1],
  ]);
});

it("a canvas stops when its best tokens are stable and sure, and ends with them, not with noise", async () => {
  const settled: TokenRunner = {
    length: 5,
    vocabulary: 3,
    logits: async () =>
      Float64Array.from([0, 1, 2, 1, 0].flatMap((best) => [0, 1, 2].map((v) => (v === best ? 8 : 0)))),
    async dispose() {},
  };
  const plan = planTokens({
    state_space: { kind: "uniform", vocab_size: 3 },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 31 },
    sampler: {
      kind: "confidence",
      // Nothing but the surest position fits.
      quota: { kind: "entropy_bound", bound: 0 },
      renoise: "uniform",
      stop: { kind: "stable", entropy: 0.01 },
    },
  });
  const states: number[][] = [];
  for await (const state of decodeTokens(settled, { plan, noise: 3 })) states.push([...state.tokens]);
  expect(states.at(-1)).toEqual([0, 1, 2, 1, 0]);
  expect(states).toHaveLength(3);
});

/** How many of 12 positions are still masked after each of 4 steps. */
async function maskedAfter(schedule: { readonly family: string }): Promise<number[]> {
  const plan = planTokens({
    state_space: { kind: "absorbing", vocab_size: n, mask_token_id: mask },
    noise_schedule: schedule,
    timesteps: { kind: "table", values: [1, 0.75, 0.5, 0.25, 0] },
    sampler: { kind: "confidence", quota: { kind: "schedule" } },
  });
  const counts: number[] = [];
  for await (const { done, tokens } of decodeTokens(network, { plan }))
    if (!done) counts.push(tokens.filter((token) => token === mask).length);
  return counts;
}

it.each([
  // floor(12 t): 9, 6, 3, 0.
  [{ family: "power" }, [9, 6, 3, 0]],
  // floor(12 (t^2)): 6.75, 3, 0.75, 0.
  [{ family: "power", exponent: 2 }, [6, 3, 0]],
  // floor(12 sqrt t): 10.39, 8.49, 6, 0.
  [{ family: "power", exponent: 0.5 }, [10, 8, 6, 0]],
  // t^(1/20) leaves 11.83, 11.59, 11.20: at least one is placed.
  [{ family: "power", exponent: 0.05 }, [11, 10, 9, 0]],
  // 1 - cos(pi t/2): 12 times 0.617, 0.293, 0.076.
  [{ family: "cosine_power", eps: 0 }, [7, 3, 0]],
])("a quota by the noise schedule %o leaves %o masks", async (schedule, expected) => {
  expect(await maskedAfter(schedule)).toEqual(expected);
});

/**
 * RDM's reparameterised decoding: every position is scored anew, the surest stay or are placed, the rest is masked. With
 * `eta` P2's: ln p of placed positions is multiplied by it first (Peng et al. 2025).
 */
function competing(steps: number, eta = 1): number[][] {
  const tokens = new Array<number>(length).fill(mask);
  const states: number[][] = [];
  for (let step = 1; step <= steps; step++) {
    const p = logitsOf(tokens).map((row) => softmax(row));
    const score = (i: number): number => Math.log(Math.max(...p[i]!)) * (tokens[i] === mask ? 1 : eta);
    const order = [...tokens.keys()].sort((i, j) => score(j) - score(i));
    const noise = new Set(order.slice(length - Math.floor(length * (1 - step / steps))));
    for (const i of tokens.keys())
      if (noise.has(i)) tokens[i] = mask;
      else if (tokens[i] === mask) tokens[i] = argmax(p[i]!);
    states.push([...tokens]);
  }
  return states;
}

/** Times a placed position is masked again. */
const maskedAgain = (states: readonly number[][]): number =>
  states.reduce(
    (sum, state, k) =>
      sum + state.filter((token, i) => k > 0 && token === mask && states[k - 1]![i] !== mask).length,
    0,
  );

it.each([
  1, 4, 0,
])("placed positions that compete again, their scores times %f, are masked again when others are surer", async (eta) => {
  const plan = planTokens({
    state_space: { kind: "absorbing", vocab_size: n, mask_token_id: mask },
    noise_schedule: { family: "power" },
    timesteps: { kind: "table", values: [1, 0.8, 0.6, 0.4, 0.2, 0] },
    sampler: {
      kind: "confidence",
      score: "log_probability",
      quota: { kind: "schedule", among: "all", placed_scale: eta },
    },
  });
  const states: number[][] = [];
  for await (const { done, tokens } of decodeTokens(network, { plan })) if (!done) states.push([...tokens]);
  expect(states).toEqual(competing(5, eta));
  // A placed position of scale 0 is as sure as one can be.
  if (eta === 0) expect(maskedAgain(states)).toBe(0);
  else expect(maskedAgain(states)).toBeGreaterThan(eta === 1 ? 0 : maskedAgain(competing(5)));
});

it.each([
  // Position 1 is sure and drawn first. Then ln p / T - ln(-ln u): at T = 0.2 -1.36 against -0.30, at T = 0.1 -1.89
  // against -2.86; p / T at T = 0.1 would be 8.17 against 8.25.
  [{ score: "log_probability", select_temperature: 0.2 }, [1, 2, 0]],
  [{ score: "log_probability", select_temperature: 0.1 }, [1, 0, 2]],
  [{ score: "log_probability", select_temperature: 0.2, final_select_temperature: 0 }, [1, 0, 2]],
  [{ score: "probability", select_temperature: 0.1 }, [1, 2, 0]],
])("positions drawn by %o are placed in the order %o", async (fields, order) => {
  const chances = [0.9, 0.99, 0.6];
  const sure: TokenRunner = {
    length: 3,
    vocabulary: 3,
    // Token 2 is the mask.
    logits: async () => Float64Array.from(chances.flatMap((p) => [Math.log(p), Math.log(1 - p), -1e9])),
    async dispose() {},
  };
  const plan = planTokens({
    state_space: { kind: "absorbing", vocab_size: 3, mask_token_id: 2 },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 4 },
    sampler: { kind: "confidence", ...fields },
  });
  const noise = { uniform: (_: number, __: number, position: number) => [0.1, 0.99, 0.9][position]! };
  const placed: number[] = [];
  for await (const { done, tokens } of decodeTokens(sure, { plan, noise }))
    if (!done) placed.push(...[0, 1, 2].filter((i) => tokens[i] !== 2 && !placed.includes(i)));
  expect(placed).toEqual(order);
});

it("the autoregressive example: each token is the best one after a full pass over those before it", async () => {
  const session = await openSession({
    model: "examples/autoregressive/model.json",
    synthetic: 1,
    target: "reference",
    tokens: [5, 17, 40, ...new Array<null>(13).fill(null)],
  });
  const { runner } = session;
  if (!("logits" in runner)) throw new Error("the example's state is not discrete");
  let last: readonly number[] = [];
  for await (const { tokens } of session.states()) last = [...tokens];
  const [vocabulary, masked] = [runner.vocabulary, runner.vocabulary - 1];
  const expected = [5, 17, 40];
  while (expected.length < runner.length) {
    // What comes after is hidden from every position: other tokens there than the decoder has.
    const tokens = Int32Array.from({ length: runner.length }, (_, i) => expected[i] ?? (11 * i) % masked);
    const logits = await runner.logits({ batch: 1, tokens, level: [0] });
    expected.push(
      argmax([...logits.subarray(expected.length * vocabulary, (expected.length + 1) * vocabulary)]),
    );
  }
  expect(last).toEqual(expected);
  expect(new Set(last).size).toBeGreaterThan(3);
  await session.close();
});
