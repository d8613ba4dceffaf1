// Noise of masks and random tokens against matrices over a whole small vocabulary: GIDD's marginals as its paper states
// them, transitions and posteriors by multiplying and by Bayes's rule, every case counted.
import { describe, expect, test } from "vitest";
import { inspectSchedule } from "../../src/api/inspect.js";
import { readingOf } from "../../src/diffusion/discrete/reading.js";
import { ancestral } from "../../src/diffusion/discrete/samplers/ancestral.js";
import { psi } from "../../src/diffusion/discrete/samplers/psi.js";
import { planTokens, type TokenPlan } from "../../src/diffusion/discrete/token-plan.js";
import type { RandomTokens } from "../../src/diffusion/discrete/token-process.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { TokenRunner } from "../../src/runtime/token-runner.js";

const [n, mask] = [5, 1];
/** The law of x_0; no text has the mask. */
const prior = [0.4, 0, 0.3, 0.2, 0.1];
const everyToken = Array.from({ length: n }, (_, v) => v);

interface Marginal {
  readonly alpha: number;
  /** Chance that noise put v there. */
  readonly noise: readonly number[];
}

/** GIDD's alpha_t and beta_t pi_t: c = B t^(g/2) (1 - t)^(g/2), B = 2^g p / (1 - p), all divided by 1 + c. */
const gidd =
  (p: number, g: number) =>
  (t: number): Marginal => {
    const c = ((2 ** g * p) / (1 - p)) * t ** (g / 2) * (1 - t) ** (g / 2);
    const noise = everyToken.map((v) => (v === mask ? t : c / (n - 1)) / (1 + c));
    return { alpha: (1 - t) / (1 + c), noise };
  };

/** Noise that grows as t, of which `share` is random tokens. */
const evenly =
  (share: number) =>
  (t: number): Marginal => ({
    alpha: 1 - t,
    noise: everyToken.map((v) => (v === mask ? t * (1 - share) : (t * share) / (n - 1))),
  });

type Matrix = readonly (readonly number[])[];

/** Row u: q(x_t | x_0 = u). */
const marginals = ({ alpha, noise }: Marginal): Matrix =>
  everyToken.map((u) => noise.map((b, v) => b + (u === v ? alpha : 0)));

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => everyToken.map((v) => row.reduce((sum, value, k) => sum + value * b[k]![v]!, 0)));

/** Row v: q(x_t | x_s = v), the T with M_s T = M_t whose rows differ only on the diagonal. */
function between(s: Marginal, t: Marginal): Matrix {
  const ratio = t.alpha / s.alpha;
  return everyToken.map((v) =>
    everyToken.map((x) => t.noise[x]! - ratio * s.noise[x]! + (x === v ? ratio : 0)),
  );
}

const normalized = (weights: ArrayLike<number>): number[] => {
  const sum = Array.from(weights).reduce((total, w) => total + w, 0);
  return Array.from(weights, (w) => w / sum);
};

const cases: readonly [string, RandomTokens, (t: number) => Marginal][] = [
  ["hump", { kind: "hump", peak: 0.2, exponent: 1 }, gidd(0.2, 1)],
  ["a sharp hump", { kind: "hump", peak: 0.5, exponent: 2 }, gidd(0.5, 2)],
  ["constant", { kind: "constant", share: 0.3 }, evenly(0.3)],
];

const planFor = (random: RandomTokens, kind = "ancestral", target = "x0"): TokenPlan =>
  planTokens({
    state_space: { kind: "hybrid", vocab_size: n, mask_token_id: mask, random_tokens: random },
    noise_schedule: { family: "power" },
    timesteps: { kind: "table", values: [0.98, 0.7, 0.5, 0.31, 0.05] },
    prediction_type: { target },
    sampler: { kind, final: "none" },
  });

describe.each(cases)("%s", (_, random, marginalAt) => {
  const plan = planFor(random);
  const reading = readingOf(plan.process, { target: "x0" });

  test("transitions are chances, and lead from one level's marginals to the next one's", () => {
    for (const { t, to } of plan.rows) {
      const step = between(marginalAt(to.t), marginalAt(t));
      for (const row of step) {
        expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
        expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 13);
      }
      const reached = product(marginals(marginalAt(to.t)), step);
      for (const [u, row] of marginals(marginalAt(t)).entries())
        for (const [v, p] of row.entries()) expect(reached[u]![v]).toBeCloseTo(p, 13);
    }
  });

  test("levels are the stated signal, masks and random tokens", () => {
    for (const point of [...plan.rows, plan.finalRow]) {
      const { alpha, noise } = marginalAt(point.t);
      expect(point.alphaBar).toBeCloseTo(alpha, 14);
      expect(point.sigma2 * (1 - point.random!)).toBeCloseTo(noise[mask]!, 14);
      expect(point.sigma2 * point.random!).toBeCloseTo((n - 1) * noise[0]!, 14);
      expect(point.totalNoise).toBeCloseTo(-Math.log(alpha), 13);
    }
  });

  test("an ancestral step with the exact network is Bayes's rule", () => {
    for (const row of plan.rows) {
      const [s, t] = [marginals(marginalAt(row.to.t)), marginals(marginalAt(row.t))];
      const step = between(marginalAt(row.to.t), marginalAt(row.t));
      for (const x of everyToken) {
        const logits = prior.map((p, u) => (u === mask ? 7 : Math.log(p * t[u]![x]!)));
        const p = reading.probabilities(logits, x, row, new Float64Array(n));
        const weights = new Float64Array(n);
        expect(ancestral().weights(plan.process, p, x, row, weights)).toBe(true);
        const exact = everyToken.map((v) =>
          prior.reduce((sum, chance, u) => sum + chance * s[u]![v]! * step[v]![x]!, 0),
        );
        for (const [v, chance] of normalized(exact).entries())
          expect(normalized(weights)[v]).toBeCloseTo(chance, 12);
      }
    }
  });

  test("plug_in: the released sampler's q(x_t | x_s) q(x_s | x) / q(x_t | x), the mask's logit left out", () => {
    const plugged = readingOf(plan.process, { target: "plug_in" });
    const x0 = [0.55, 0, 0.05, 0.1, 0.3];
    const logits = x0.map((p, v) => (v === mask ? 50 : Math.log(p)));
    const mean = (of: Marginal): number[] => x0.map((p, v) => of.alpha * p + of.noise[v]!);
    for (const row of plan.rows)
      for (const x of everyToken) {
        const [s, t] = [marginalAt(row.to.t), marginalAt(row.t)];
        const step = between(s, t);
        const released = everyToken.map((v) => (step[v]![x]! * mean(s)[v]!) / mean(t)[x]!);
        const p = plugged.probabilities(logits, x, row, new Float64Array(n));
        const weights = new Float64Array(n);
        ancestral().weights(plan.process, p, x, row, weights);
        for (const [v, chance] of normalized(weights).entries()) expect(chance).toBeCloseTo(released[v]!, 12);
      }
  });

  test.each([0, 0.4, 1])("psi with kappa %s keeps the marginals", (value) => {
    for (const row of plan.rows) {
      const [s, t] = [marginals(marginalAt(row.to.t)), marginals(marginalAt(row.t))];
      const reached = new Array<number>(n).fill(0);
      for (const x of everyToken) {
        const joint = prior.map((p, u) => p * t[u]![x]!);
        const weights = new Float64Array(n);
        psi().weights(
          plan.process,
          Float64Array.from(normalized(joint)),
          x,
          { ...row, kappa: value },
          weights,
        );
        const here = joint.reduce((sum, p) => sum + p, 0);
        for (const [v, chance] of normalized(weights).entries()) reached[v]! += here * chance;
      }
      for (const v of everyToken)
        expect(reached[v]).toBeCloseTo(
          prior.reduce((sum, p, u) => sum + p * s[u]![v]!, 0),
          12,
        );
    }
  });
});

test("by hand: peak 0.2 at t = 1/2 is c = 1/4, so 0.4 clean, 0.4 masks, 0.2 random", () => {
  const { levels } = inspectSchedule({ model: "examples/gidd/model.json", steps: 3 });
  expect(levels[1]).toMatchObject({
    t: expect.closeTo(0.5, 12),
    alphaBar: expect.closeTo(0.4, 12),
    masks: expect.closeTo(0.4, 12),
    random: expect.closeTo(0.2, 12),
  });
});

/** A network that is sure of nothing. */
const length = 3000;
const flat: TokenRunner = {
  length,
  vocabulary: n,
  logits: async ({ tokens }) => new Float64Array(tokens.length * n),
  async dispose() {},
};

async function firstState(random: RandomTokens): Promise<Int32Array> {
  let first: Int32Array | undefined;
  const plan = planFor(random);
  const onLogits = (_: unknown, tokens: Int32Array): void => {
    first ??= tokens;
  };
  for await (const { done } of decodeTokens(flat, { plan, noise: 4, onLogits })) if (done) break;
  return first!;
}

test("generation starts from masks, or from the constant mix: counts within five standard deviations", async () => {
  expect(new Set(await firstState({ kind: "hump", peak: 0.2, exponent: 1 }))).toEqual(new Set([mask]));
  const tokens = await firstState({ kind: "constant", share: 0.4 });
  for (const v of everyToken) {
    const p = v === mask ? 0.6 : 0.1;
    const count = tokens.filter((token) => token === v).length;
    expect(Math.abs(count - length * p)).toBeLessThan(5 * Math.sqrt(length * p * (1 - p)));
  }
});

test("placed tokens change again, and the last state has as many masks as its level says", async () => {
  const plan = planFor({ kind: "hump", peak: 0.5, exponent: 1 });
  const states: Int32Array[] = [];
  for await (const { done, tokens } of decodeTokens(flat, { plan, noise: 9 })) if (!done) states.push(tokens);
  const changed = states[1]!.filter((token, i) => {
    const before = states[0]![i]!;
    return before !== mask && token !== before;
  }).length;
  expect(changed).toBeGreaterThan(length / 50);
  // With p(x_0) flat whatever stands there, a mask stays by q(mask | mask) q_s(mask) / q_t(mask).
  let share = 1;
  for (const row of plan.rows) {
    const [s, t] = [gidd(0.5, 1)(row.to.t), gidd(0.5, 1)(row.t)];
    const step = between(s, t);
    const clean = everyToken.map((v) => (v === mask ? 0 : 1 / (n - 1)));
    const stay = (x: number): number => {
      // sum_u p_u q(x_s = mask | u) q(x | mask) / q(x | u)
      const of = (v: number): number =>
        clean.reduce(
          (sum, p, u) => sum + (p * marginals(s)[u]![v]! * step[v]![x]!) / marginals(t)[u]![x]!,
          0,
        );
      return of(mask) / everyToken.reduce((sum, v) => sum + of(v), 0);
    };
    share = share * stay(mask) + (1 - share) * stay(mask === 0 ? 1 : 0);
  }
  const masks = states.at(-1)!.filter((token) => token === mask).length;
  expect(Math.abs(masks - length * share)).toBeLessThan(5 * Math.sqrt(length * share));
});
