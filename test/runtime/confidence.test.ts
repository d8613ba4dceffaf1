// Confidence decoding worked by hand: a network of fixed logits, so that every step can be read off.

import { expect, test } from "vitest";
import type { TokenSamplerDescription } from "../../src/diffusion/discrete/sampler-description.js";
import { planTokens } from "../../src/diffusion/index.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { TokenDraws } from "../../src/runtime/discrete/driver.js";

/** A state under test: probabilities of the tokens, the last one the mask, at each position. */
interface Trial {
  /** p of each token at each position, whatever the state, or as a function of it. */
  readonly network: readonly (readonly number[])[] | ((tokens: readonly number[]) => readonly number[][]);
  readonly sampler: Partial<TokenSamplerDescription>;
  readonly times: readonly number[];
  readonly kind?: "absorbing" | "uniform";
  readonly start?: readonly number[];
  readonly given?: readonly number[];
  readonly draws?: Partial<TokenDraws>;
}

/** The states of one text, the first included and, where it differs, the final one; the mask is printed as "_". */
async function statesOf({ network, sampler, times, kind = "absorbing", ...rest }: Trial): Promise<string[]> {
  const first = typeof network === "function" ? network(rest.start as number[]) : network;
  const [length, vocabulary] = [first.length, first[0]!.length];
  const mask = vocabulary - 1;
  const start = Int32Array.from(rest.start ?? new Array<number>(length).fill(mask));
  const given = rest.given ?? [];
  const plan = planTokens({
    state_space: { kind, vocab_size: vocabulary, mask_token_id: mask },
    noise_schedule: { family: "power" },
    timesteps: { kind: "table", values: times },
    sampler: { kind: "confidence", ...sampler },
  });
  const text = (tokens: Int32Array): string =>
    [...tokens].map((t) => (kind === "absorbing" && t === mask ? "_" : String(t))).join("");
  const runner = {
    length,
    vocabulary,
    async logits({ tokens }: { readonly tokens: Int32Array }) {
      const p = typeof network === "function" ? network([...tokens]) : network;
      return Float64Array.from(p.flat(), Math.log);
    },
    async dispose() {},
  };
  const noise = { uniform: () => 0.5, ...rest.draws, start };
  const fixed = { tokens: start, mask: Uint8Array.from(start, (_, i) => (given.includes(i) ? 1 : 0)) };
  const states = [text(start)];
  for await (const state of decodeTokens(runner, { plan, noise, fixed }))
    if (!state.done || text(state.tokens) !== states.at(-1)) states.push(text(state.tokens));
  return states;
}

const evenly = (steps: number): number[] => Array.from({ length: steps + 1 }, (_, i) => 1 - i / steps);

test("a position whose proposal is the mask takes its place in the quota and stays open", async () => {
  // Position 1 is surest of the mask. Two steps place two positions each.
  const network = [
    [0.6, 0.3, 0.1],
    [0.05, 0.05, 0.9],
    [0.2, 0.7, 0.1],
    [0.1, 0.5, 0.4],
  ];
  expect(await statesOf({ network, sampler: { quota: { kind: "uniform" } }, times: evenly(2) })).toEqual([
    "____",
    "__1_",
    "0_1_",
  ]);
});

test("what a threshold puts off is made up for, in added steps at the end", async () => {
  // Scores 0.9, 0.7, 0.6, 0.5; two steps of two. Below 0.8 only the best of a step is placed.
  const network = [
    [0.9, 0.1, 0],
    [0.7, 0.3, 0],
    [0.4, 0.6, 0],
    [0.5, 0.5, 0],
  ];
  expect(
    await statesOf({ network, sampler: { quota: { kind: "uniform", threshold: 0.8 } }, times: evenly(2) }),
  ).toEqual(["____", "0___", "00__", "001_", "0010"]);
});

test("the score `position` places from left to right, given tokens passed over", async () => {
  const network = new Array<number[]>(5).fill([0.2, 0.7, 0.1]);
  const start = [2, 2, 0, 2, 2];
  const sampler = { score: "position", quota: { kind: "uniform" } } as const;
  expect(await statesOf({ network, sampler, times: evenly(2), start, given: [2] })).toEqual([
    "__0__",
    "110__",
    "11011",
  ]);
});

test("a stop token ends decoding with its block, and what is left becomes that token", async () => {
  const likely = (token: number) => [0, 1, 2, 3].map((v) => (v === token ? 0.7 : 0.1));
  const network = [1, 1, 0, 1, 0, 1].map(likely);
  const sampler = { quota: { kind: "uniform" }, blocks: { length: 2, stop_tokens: [2, 0] } } as const;
  // The given 2 at position 0 was not generated: the stop comes with the 0 of the second block.
  expect(
    await statesOf({ network, sampler, times: evenly(1), start: [2, 3, 3, 3, 3, 3], given: [0] }),
  ).toEqual(["2_____", "21____", "2101__", "210122"]);
  const later = { ...sampler, blocks: { length: 2, stop_tokens: [0] } };
  expect(await statesOf({ network, sampler: later, times: evenly(1) })).toEqual([
    "______",
    "11____",
    "1101__",
    "110100",
  ]);
});

test("renoising lasts as many steps as there are, also where these are more than positions; then the best tokens stand", async () => {
  // Position 0 is the surer one and alone within the bound; a half chooses the middle one of three as the random token.
  const network = [
    [0.7, 0.2, 0.1],
    [0.1, 0.3, 0.6],
  ];
  const sampler = { quota: { kind: "entropy_bound", bound: 0 }, renoise: "uniform" } as const;
  expect(await statesOf({ network, sampler, times: evenly(5), kind: "uniform", start: [2, 2] })).toEqual([
    "22",
    "01",
    "01",
    "01",
    "01",
    "02",
  ]);
});
