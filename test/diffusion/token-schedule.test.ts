// Schedules per token against matrices over a whole small vocabulary and Bayes's rule, GenMD4's posterior and DiffusionBERT's
// spindle as their papers state them.
import { describe, expect, test } from "vitest";
import { readingOf } from "../../src/diffusion/discrete/reading.js";
import { ancestral } from "../../src/diffusion/discrete/samplers/ancestral.js";
import { psi } from "../../src/diffusion/discrete/samplers/psi.js";
import { planTokens, type TokenPlan } from "../../src/diffusion/discrete/token-plan.js";
import type { TokenScheduleDescription } from "../../src/diffusion/discrete/token-schedule.js";
import { shownLevel } from "../../src/diffusion/index.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { TokenRunner } from "../../src/runtime/token-runner.js";

const [n, mask] = [5, 2];
const everyToken = Array.from({ length: n }, (_, v) => v);
const prior = [0.4, 0.3, 0, 0.2, 0.1];

const planFor = (schedule: TokenScheduleDescription, sampler: object = { kind: "ancestral" }): TokenPlan =>
  planTokens({
    state_space: { kind: "absorbing", vocab_size: n, mask_token_id: mask, token_schedule: schedule },
    noise_schedule: { family: "power" },
    timesteps: { kind: "table", values: [1, 0.8, 0.45, 0.2, 0.03] },
    prediction_type: { target: "subs" },
    sampler: { final: "none", ...sampler } as never,
  });

const trained = [-0.4, 0.1, 1.2, 2.5];
/** softplus(x), the mask's left out. */
const powers = [
  Math.log(1 + Math.exp(-0.4)),
  Math.log(1 + Math.exp(0.1)),
  Number.NaN,
  Math.log(1 + Math.exp(1.2)),
  Math.log(1 + Math.exp(2.5)),
];
const information = [0.6, 1.1, 77, 0.9, 1.6];

/** m_v(t), the mean information where it is asked for. */
type Masking = (t: number, v: number, mean: number) => number;
const genmd4: Masking = (t, v) => (1 - 1e-4) * t ** powers[v]!;
const inside = (m: number): number => Math.min(1, Math.max(0, m));
const spindle: Masking = (t, v, mean) => inside(t + 0.25 * Math.sin(Math.PI * t) * (information[v]! - mean));
const paper: Masking = (t, v, mean) =>
  inside(t + 0.25 * Math.sin(Math.PI * t) * (1 - mean / information[v]!));

const cases: readonly [string, TokenScheduleDescription, Masking][] = [
  ["exponents", { kind: "exponents", exponents: trained, positive: "softplus", eps: 1e-4 }, genmd4],
  ["spindle", { kind: "spindle", information, scale: 0.25 }, spindle],
  ["the paper's spindle", { kind: "spindle", information, scale: 0.25, deviation: "ratio" }, paper],
];

type Matrix = readonly (readonly number[])[];
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => everyToken.map((j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));

/** Row u: q(x_t | x_0 = u). */
const marginals = (at: (v: number) => number): Matrix =>
  everyToken.map((u) =>
    everyToken.map((x) => (u === mask ? Number(x === mask) : x === mask ? at(u) : x === u ? 1 - at(u) : 0)),
  );

const normalized = (weights: ArrayLike<number>): number[] => {
  const sum = Array.from(weights).reduce((total, w) => total + w, 0);
  return Array.from(weights, (w) => w / sum);
};

describe.each(cases)("%s", (_, schedule, masking) => {
  const plan = planFor(schedule);
  const mean = 0.8;
  const told = plan.rows.map((row) => ({ ...row, information: mean, to: { ...row.to, information: mean } }));
  const reading = readingOf(plan.process, plan.prediction);

  test("the step is Bayes's rule: q(x_t | x_s) is what leads from one level to the next", () => {
    for (const row of told) {
      const [s, t] = [row.to.t, row.t].map((at) => marginals((v) => masking(at, v, mean)));
      const step = marginals(
        (v) => (masking(row.t, v, mean) - masking(row.to.t, v, mean)) / (1 - masking(row.to.t, v, mean)),
      );
      const reached = times(s!, step);
      for (const [u, each] of t!.entries())
        for (const [x, p] of each.entries()) expect(reached[u]![x]).toBeCloseTo(p, 13);
      for (const x of everyToken) {
        const joint = prior.map((p, u) => p * t![u]![x]!);
        if (joint.every((p) => p === 0)) continue;
        const logits = joint.map((p) => Math.log(p || 1e-300));
        const p = reading.probabilities(logits, x, row, new Float64Array(n));
        const weights = new Float64Array(n);
        const moves = ancestral().weights(plan.process, p, x, row, weights);
        const exact = everyToken.map((v) =>
          prior.reduce((sum, chance, u) => sum + chance * s![u]![v]! * step[v]![x]!, 0),
        );
        const found = moves ? normalized(weights) : everyToken.map((v) => Number(v === x));
        for (const [v, chance] of normalized(exact).entries()) expect(found[v]).toBeCloseTo(chance, 12);
        expect(moves).toBe(x === mask);
      }
    }
  });

  test("a masked position: p_v (m_t - m_s) / m_t of each token, the rest stays masked", () => {
    const mu = [0.5, 0.1, 0, 0.15, 0.25];
    for (const row of told) {
      const weights = new Float64Array(n);
      ancestral().weights(plan.process, Float64Array.from(mu), mask, row, weights);
      const [from, to] = [row.t, row.to.t].map((at) => (v: number) => masking(at, v, mean));
      for (const v of everyToken)
        expect(normalized(weights)[v]).toBeCloseTo(
          v === mask
            ? mu.reduce((sum, p, u) => (u === mask ? sum : sum + (p * to!(u)) / from!(u)), 0)
            : (mu[v]! * (from!(v) - to!(v))) / from!(v),
          12,
        );
    }
  });

  test.each([0, 0.4, 1])("psi with kappa %s keeps the marginals", (value) => {
    for (const row of told) {
      const [s, t] = [row.to.t, row.t].map((at) => marginals((v) => masking(at, v, mean)));
      const reached = new Array<number>(n).fill(0);
      for (const x of everyToken) {
        const joint = prior.map((p, u) => p * t![u]![x]!);
        const here = joint.reduce((sum, p) => sum + p, 0);
        if (here === 0) continue;
        const weights = new Float64Array(n);
        const p = Float64Array.from(normalized(joint));
        const moves = psi().weights(plan.process, p, x, { ...row, kappa: value }, weights);
        const next = moves ? normalized(weights) : everyToken.map((v) => Number(v === x));
        for (const v of everyToken) reached[v]! += here * next[v]!;
      }
      const exact = times([prior], s!)[0]!;
      for (const v of everyToken) expect(reached[v]).toBeCloseTo(exact[v]!, 12);
    }
  });
});

test("by hand: t = 1/4 with exponents 1/2 and 2, and with information 1 above and below the mean", () => {
  const exponents = planTokens({
    state_space: {
      kind: "absorbing",
      vocab_size: 3,
      mask_token_id: 0,
      token_schedule: { kind: "exponents", exponents: [0.5, 2] },
    },
    noise_schedule: { family: "power" },
    timesteps: { kind: "table", values: [0.5, 0.25] },
    sampler: { kind: "ancestral" },
  });
  // 1 - sqrt(1/4) and 1 - 1/16
  expect(shownLevel(exponents.process, exponents.finalRow)).toEqual({ least: 0.5, most: 0.9375 });
  const spindled = planTokens({
    state_space: {
      kind: "absorbing",
      vocab_size: 3,
      token_schedule: { kind: "spindle", information: [3, 5, 100], scale: 0.2 },
    },
    noise_schedule: { family: "power" },
    timesteps: { kind: "table", values: [0.9, 0.5] },
    sampler: { kind: "ancestral" },
  });
  // 1/2 -+ 0.2
  expect(shownLevel(spindled.process, spindled.finalRow)).toEqual({
    least: expect.closeTo(0.3, 14),
    most: expect.closeTo(0.7, 14),
  });
});

const length = 6;

/** Logits that do not look at the state: the best tokens are those listed, the mask has the largest logit of all. */
const best = [0, 1, 3, 4, 4, 1];
const logitsAt = (i: number): number[] =>
  everyToken.map((v) => (v === mask ? 30 : v === best[i] ? 2 : Math.sin(v * (i + 1))));
const network: TokenRunner = {
  length,
  vocabulary: n,
  logits: async ({ tokens }) =>
    Float64Array.from({ length: tokens.length }, (_, at) => at).reduce(
      (all, at) => {
        all.set(logitsAt(at % length), at * n);
        return all;
      },
      new Float64Array(tokens.length * n),
    ),
  async dispose() {},
};

test("every text has a mean of its own: tokens that stand there, and the best ones at masks", async () => {
  const batch = 2;
  const plan = planFor({ kind: "spindle", information, scale: 0.25 });
  let state = new Int32Array(batch * length).fill(mask);
  let step = 0;
  const means: number[] = [];
  for await (const { done, tokens, weights } of decodeTokens(network, { plan, batch, noise: 12 })) {
    if (done) break;
    const { t, to } = plan.rows[step++]!;
    for (let text = 0; text < batch; text++) {
      const held = best.map((b, i) => (state[text * length + i] === mask ? b : state[text * length + i]!));
      const mean = held.reduce((sum, v) => sum + information[v]!, 0) / length;
      means.push(mean);
      for (let i = 0; i < length; i++) {
        const at = text * length + i;
        if (state[at] !== mask) {
          expect(tokens[at]).toBe(state[at]);
          continue;
        }
        const e = logitsAt(i).map((l, v) => (v === mask ? 0 : Math.exp(l)));
        const p = normalized(e);
        const found = normalized(weights!.subarray(at * n, (at + 1) * n));
        for (const v of everyToken) {
          const [from, until] = [spindle(t, v, mean), spindle(to.t, v, mean)];
          if (v !== mask) expect(found[v]).toBeCloseTo((p[v]! * (from - until)) / from, 12);
        }
      }
    }
    state = tokens.slice();
  }
  expect(step).toBe(4);
  expect(new Set(means.map((mean) => mean.toFixed(9))).size).toBeGreaterThan(2);
});

test.each([
  [{ kind: "exponents", exponents: [1, 1] }],
  [{ kind: "exponents", exponents: [1, -1, 1, 1] }],
  [{ kind: "spindle", information: [1, 2], scale: 1 }],
] as const)("%o is refused", (schedule) => {
  expect(() => planFor(schedule)).toThrow(
    expect.objectContaining({ diagnostics: [expect.objectContaining({ code: "model/token-schedule" })] }),
  );
});
