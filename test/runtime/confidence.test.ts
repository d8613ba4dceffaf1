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

test("a text whose last tokens repeat themselves ends with its block", async () => {
  const likely = (token: number) => [0, 1, 2, 3].map((v) => (v === token ? 0.7 : 0.1));
  const network = [0, 1, 1, 1, 0, 1, 2, 0].map(likely);
  const of = (stop_entropy: object, stop_tokens: readonly number[] = []) =>
    statesOf({
      network,
      sampler: { quota: { kind: "uniform" }, blocks: { length: 2, stop_entropy, stop_tokens } },
      times: evenly(1),
    });
  const whole = ["________", "01______", "0111____", "011101__", "01110120"];
  // Of the last three after each block 111 has entropy 0; of the last five 11101 has 0.5004.
  expect(await of({ window: 3, bound: 0.1 })).toEqual(whole.slice(0, 3));
  expect(await of({ window: 3, bound: 0.1 }, [2])).toEqual([...whole.slice(0, 3), "01112222"]);
  expect(await of({ window: 5, bound: 0.501 })).toEqual(whole.slice(0, 4));
  expect(await of({ window: 5, bound: 0.5 })).toEqual(whole);
  // No more than the window: nothing is looked at.
  expect(await of({ window: 8, bound: 9 })).toEqual(whole);
});

test("after the last position is placed the network is asked once more, and again after every edit", async () => {
  // Two tokens a step at most; once both stand, position 0 is surer of 1, and then position 1 of 0.
  const network = (tokens: readonly number[]): readonly number[][] => {
    const [first, second] = tokens;
    if (first === 2 || second === 2)
      return [
        [0.6, 0.3, 0.1],
        [0.2, 0.7, 0.1],
      ];
    return first === 0
      ? [
          [0.05, 0.9, 0.05],
          [0.2, 0.7, 0.1],
        ]
      : [
          [0.1, 0.8, 0.1],
          [0.95, 0.03, 0.02],
        ];
  };
  const sampler = (max: number) => ({
    quota: { kind: "threshold", threshold: 0.99 },
    edit: { kind: "threshold", threshold: 0.85, max_steps: max } as const,
  });
  const given = { network, times: evenly(2), start: [2, 2] };
  const all = ["__", "_1", "01", "11", "10", "10"];
  expect(await statesOf({ ...given, sampler: sampler(16) })).toEqual(all);
  expect(await statesOf({ ...given, sampler: sampler(3) })).toEqual(all);
  expect(await statesOf({ ...given, sampler: sampler(1) })).toEqual(all.slice(0, 4));
  expect(await statesOf({ ...given, sampler: sampler(0) })).toEqual(all.slice(0, 3));
});

test("equal numbers of a block count what was given in it", async () => {
  const network = [0.9, 0.8, 0.7, 0.6, 0.5].map((p) => [p, 1 - p, 0]);
  const start = [1, 2, 2, 2, 2];
  const of = async (quota: TokenSamplerDescription["quota"]) =>
    statesOf({ network, sampler: { quota: quota! }, times: evenly(3), start, given: [0] });
  // Four masked positions in three steps: 2, 1, 1. Five of the block: 2, 2, 1.
  expect(await of({ kind: "uniform" })).toEqual(["1____", "100__", "1000_", "10000"]);
  expect(await of({ kind: "uniform", share_of: "block" })).toEqual(["1____", "100__", "10000"]);
  const sure = { kind: "threshold", threshold: 0.95, at_least: "uniform" } as const;
  expect(await of(sure)).toEqual(["1____", "100__", "1000_", "10000"]);
  expect(await of({ ...sure, share_of: "block" })).toEqual(["1____", "100__", "10000"]);
});

test("a threshold places at least so many; a step whose share is none places those that reach it", async () => {
  const network = [0.9, 0.8, 0.7, 0.6, 0.5].map((p) => [p, 1 - p, 0]);
  const of = async (quota: TokenSamplerDescription["quota"], steps: number) =>
    statesOf({ network, sampler: { quota: quota! }, times: evenly(steps) });
  expect(await of({ kind: "threshold", threshold: 0.99, at_least: 2 }, 1)).toEqual([
    "_____",
    "00___",
    "0000_",
    "00000",
  ]);
  expect(await of({ kind: "threshold", threshold: 0.65, at_least: 2 }, 1)).toEqual([
    "_____",
    "000__",
    "00000",
  ]);
  // Seven steps for five positions: five shares of one, of which the mask takes each, then two of none.
  const late = (threshold: number) =>
    statesOf({
      network: new Array<number[]>(5).fill([0.6, 0, 0.4]),
      sampler: { temperature: 1, quota: { kind: "threshold", threshold, at_least: "uniform" } },
      times: evenly(7),
      draws: { chosen: (draw) => (draw <= 5 ? 2 : 0) },
    });
  expect(await late(0.7)).toEqual(new Array(8).fill("_____"));
  expect(await late(0.5)).toEqual([...new Array(6).fill("_____"), "00000"]);
});

test("an entropy bound that counts a position's own entropy places one less", async () => {
  // Entropies 0, ln 2, ln 2.
  const network = [
    [1, 0, 0],
    [0.5, 0.5, 0],
    [0.5, 0.5, 0],
  ].map((row) => row.map((p) => Math.max(p, 1e-300)));
  const of = async (own: boolean) =>
    statesOf({ network, sampler: { quota: { kind: "entropy_bound", bound: 0.7, own } }, times: evenly(1) });
  expect(await of(false)).toEqual(["___", "000"]);
  expect(await of(true)).toEqual(["___", "00_", "000"]);
});

test("a threshold goes on beyond the grid while proposals are the mask, up to a limit", async () => {
  // A grid of one step for two positions.
  const of = (until: number) =>
    statesOf({
      network: new Array<number[]>(2).fill([0.3, 0.3, 0.4]),
      sampler: { temperature: 1, quota: { kind: "threshold", threshold: 0.2 } },
      times: evenly(1),
      draws: { chosen: (draw) => (draw <= until ? 2 : 1) },
    });
  expect(await of(3)).toEqual([...new Array(4).fill("__"), "11"]);
  expect(await of(99)).toEqual(new Array(6).fill("__"));
});

test("masked positions of an earlier block compete for the numbers of a later one", async () => {
  // Two blocks of two, two steps each: position 0 is surest of the mask until position 2 stands.
  const network = (tokens: readonly number[]): readonly number[][] => [
    tokens[2] === 2 ? [0.1, 0.1, 0.8] : [0.97, 0.02, 0.01],
    [0.6, 0.3, 0.1],
    [0.05, 0.9, 0.05],
    [0.7, 0.2, 0.1],
  ];
  const trial = { network, times: evenly(2), start: [2, 2, 2, 2] };
  const of = (leftovers: "stay" | "compete") =>
    statesOf({ ...trial, sampler: { quota: { kind: "uniform" }, blocks: { length: 2, leftovers } } });
  // The mask takes position 0's place in both steps of the first block.
  expect(await of("stay")).toEqual(["____", "____", "____", "__1_", "__10"]);
  // Position 0 is surer than 3 once 2 stands; 3 is left over.
  expect(await of("compete")).toEqual(["____", "____", "____", "__1_", "0_1_"]);
});

test("a rate of the batch's mean places as many in every text, and its part in the last step", async () => {
  const rows = [
    [2, 2, 2, 2],
    [0, 0, 2, 0],
  ];
  const of = async (quota: TokenSamplerDescription["quota"]) => {
    const plan = planTokens({
      state_space: { kind: "absorbing", vocab_size: 3, mask_token_id: 2 },
      noise_schedule: { family: "power" },
      timesteps: { kind: "table", values: evenly(2) },
      sampler: { kind: "confidence", quota },
    });
    const start = Int32Array.from(rows.flat());
    const fixed = { tokens: start, mask: Uint8Array.from(start, (token) => (token === 2 ? 0 : 1)) };
    const runner = {
      length: 4,
      vocabulary: 3,
      logits: async () =>
        Float64Array.from(rows.flat(), (_, at) => 0.9 - (at % 4) / 10).reduce((out, p, at) => {
          out.set([Math.log(p), Math.log(1 - p), -50], 3 * at);
          return out;
        }, new Float64Array(24)),
      async dispose() {},
    };
    const states: string[] = [];
    for await (const { done, tokens } of decodeTokens(runner, {
      plan,
      batch: 2,
      fixed,
      noise: { uniform: () => 0.5, start },
    }))
      if (!done) states.push([...tokens].map((t) => (t === 2 ? "_" : t)).join(""));
    return states;
  };
  expect(await of({ kind: "rate" })).toEqual(["00__00_0", "00000000"]);
  // floor(2.5 / 2) of each, then floor(1.5).
  expect(await of({ kind: "rate", of: "batch" })).toEqual(["0___0000", "00__0000"]);
});
