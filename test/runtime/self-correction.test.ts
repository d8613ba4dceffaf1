// GIDD's self-correction against its rule in plain loops, with a network that is a formula of the tokens.

import { expect, it } from "vitest";
import { planTokens } from "../../src/diffusion/index.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { TokenRunner } from "../../src/runtime/token-runner.js";

const [length, n, mask, batch] = [9, 6, 5, 2];

/** Logits of every position of a text, uneven; the mask's is the largest and never read. */
function logitsOf(tokens: readonly number[]): number[][] {
  const state = tokens.reduce((sum, token, j) => sum + 0.41 * (j + 2) * token, 0);
  return tokens.map((_, i) =>
    Array.from({ length: n }, (_u, v) =>
      v === mask ? 40 : 2 * Math.sin(1.3 * (i + 1) * (v + 2)) + 0.7 * Math.sin(state + i + v),
    ),
  );
}

const levels: number[] = [];
const network: TokenRunner = {
  length,
  vocabulary: n,
  async logits({ tokens, level }) {
    levels.push(...Array.from(level));
    const rows = Array.from({ length: tokens.length / length }, (_, row) =>
      logitsOf([...tokens.subarray(row * length, (row + 1) * length)]),
    );
    return Float64Array.from(rows.flat(2));
  },
  async dispose() {},
};

/** A number in (0, 1) that every key has its own of. */
const uniform = (...key: readonly number[]): number => {
  const x = Math.abs(
    Math.sin(key.reduce((sum, k, i) => sum + (k + 1) * [12.9898, 78.233, 37.719, 4.581][i]!, 0)),
  );
  return (x * 43758.5453) % 1 || 0.5;
};

interface Settings {
  readonly temperature: number;
  readonly tokens_per_step: number;
  readonly max_steps: number;
  readonly patience: number;
}

const steps = 2;

/** The states of one text after each step that was made. */
function corrected(start: readonly number[], row: number, settings: Settings, given: ReadonlySet<number>) {
  const { temperature, tokens_per_step, max_steps, patience } = settings;
  let tokens = [...start];
  const states: number[][] = [];
  let [most, waited] = [0, 0];
  for (let k = 0; k < max_steps; k++) {
    const p = logitsOf(tokens).map((logits) => {
      const e = logits.map((l, v) => (v === mask ? 0 : Math.exp(l / temperature)));
      return e.map((value) => value / e.reduce((sum, each) => sum + each, 0));
    });
    const drawn = p.map((chances, i) => {
      const race = chances.map((c, v) =>
        c > 0
          ? Math.log(c) - Math.log(-Math.log(uniform(steps + 2 + k, row, i, v)))
          : Number.NEGATIVE_INFINITY,
      );
      return race.indexOf(Math.max(...race));
    });
    const free = [...tokens.keys()].filter((i) => !given.has(i));
    const scored = free
      .filter((i) => drawn[i] !== tokens[i])
      .sort((i, j) => p[j]![drawn[j]!]! - p[i]![drawn[i]!]!);
    const chosen = new Set(scored.slice(0, tokens_per_step));
    const next = tokens.map((token, i) => (chosen.has(i) ? drawn[i]! : token));
    const agreed = free.filter((i) => next[i] === p[i]!.indexOf(Math.max(...p[i]!))).length;
    if (agreed > most) [most, waited] = [agreed, 0];
    else if (++waited > patience) break;
    if (chosen.size === 0) break;
    tokens = next;
    states.push(tokens);
  }
  return states;
}

it.each<Settings>([
  { temperature: 0.1, tokens_per_step: 1, max_steps: 40, patience: 32 },
  { temperature: 0.7, tokens_per_step: 3, max_steps: 40, patience: 2 },
  { temperature: 1.5, tokens_per_step: 2, max_steps: 7, patience: 32 },
])("two texts are corrected as two: %o", async (settings) => {
  const plan = planTokens({
    state_space: {
      kind: "hybrid",
      vocab_size: n,
      random_tokens: { kind: "hump", peak: 0.2, exponent: 1 },
    },
    noise_schedule: { family: "power" },
    timesteps: { kind: "table", values: [0.9, 0.5, 0.1] },
    time_conditioning: { input: "t" },
    sampler: { kind: "ancestral", final: "none", self_correction: { t: 0.01, ...settings } },
  });
  const fixed = { tokens: new Int32Array(length), mask: new Uint8Array(length) };
  fixed.tokens[4] = 3;
  fixed.mask[4] = 1;
  levels.length = 0;
  const states: number[][][] = [];
  for await (const { done, tokens } of decodeTokens(network, { plan, batch, noise: { uniform }, fixed }))
    if (!done)
      states.push(
        Array.from({ length: batch }, (_, row) => [...tokens.subarray(row * length, (row + 1) * length)]),
      );
  const before = states[steps - 1]!;
  const made = before.map((text, row) => corrected(text, row, settings, new Set([4])));
  const longest = Math.max(...made.map((each) => each.length));
  expect(longest).toBeGreaterThan(0);
  const expected = Array.from({ length: longest }, (_, k) =>
    made.map((each, row) => each[Math.min(k, each.length - 1)] ?? before[row]!),
  );
  expect(states.slice(steps)).toEqual(expected);
  expect(new Set(levels.slice(steps * batch))).toEqual(new Set([0.01]));
});
