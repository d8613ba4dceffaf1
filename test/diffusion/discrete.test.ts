// Samplers of discrete states against exact laws: with few tokens and few positions every distribution is a finite sum,
// so chances are compared, not drawn.
import { describe, expect, test } from "vitest";
import { drawFrom, restricted, softmaxInto } from "../../src/diffusion/discrete/choice.js";
import { seededUniforms } from "../../src/diffusion/discrete/draws.js";
import { kappaOf } from "../../src/diffusion/discrete/kappa.js";
import { readingOf } from "../../src/diffusion/discrete/reading.js";
import { ancestral } from "../../src/diffusion/discrete/samplers/ancestral.js";
import { psi } from "../../src/diffusion/discrete/samplers/psi.js";
import { analytic, tauLeaping } from "../../src/diffusion/discrete/samplers/scores.js";
import { planTokens, type TokenPlan } from "../../src/diffusion/discrete/token-plan.js";
import type { ScoredProcess } from "../../src/diffusion/discrete/token-process.js";
import { transposedTransition } from "../../src/diffusion/discrete/transitions.js";
import { levelFromTotalNoise } from "../../src/diffusion/noise-level.js";

const masked: ScoredProcess = { kind: "absorbing", vocabulary: 3, mask: 2 };
const random: ScoredProcess = { kind: "uniform", vocabulary: 4 };

const logLinear = { family: "log_linear" };

function planFor(process: ScoredProcess, kind: string, numSteps: number, schedule = logLinear): TokenPlan {
  return planTokens({
    state_space: {
      kind: process.kind,
      vocab_size: process.vocabulary,
      ...(process.kind === "absorbing" && { mask_token_id: process.mask }),
    },
    noise_schedule: schedule,
    timesteps: { kind: "linspace", from: 1, to: 0.01, num_steps: numSteps },
    sampler: { kind },
  });
}

/** q(x | x_0) at total noise s. */
function forward(process: ScoredProcess, s: number, x0: number): number[] {
  const kept = Math.exp(-s);
  return Array.from({ length: process.vocabulary }, (_, x) => {
    const noise = process.kind === "uniform" ? 1 / process.vocabulary : x === process.mask ? 1 : 0;
    return kept * (x === x0 ? 1 : 0) + (1 - kept) * noise;
  });
}

/** The law of x_0 that both tests use; the mask is never clean. */
const prior = {
  absorbing: [0.7, 0.3, 0],
  uniform: [0.5, 0.1, 0.25, 0.15],
};

/** p(x_0 | x) by Bayes, and p_s(x). */
function bayes(process: ScoredProcess, s: number, x: number): { posterior: number[]; marginal: number } {
  const joint = prior[process.kind].map((p, x0) => (p === 0 ? 0 : p * forward(process, s, x0)[x]!));
  const marginal = joint.reduce((sum, p) => sum + p, 0);
  return { posterior: joint.map((p) => p / marginal), marginal };
}

const normalized = (weights: Float64Array): number[] => {
  const sum = weights.reduce((total, w) => total + w, 0);
  return Array.from(weights, (w) => w / sum);
};

/** Whether the token can stand at that noise at all. */
const reachable = (process: ScoredProcess, s: number): number[] =>
  Array.from({ length: process.vocabulary }, (_, x) => x).filter((x) => bayes(process, s, x).marginal > 0);

describe.each([masked, random])("$kind: with the exact network", (process) => {
  const n = process.vocabulary;
  const reading = readingOf(process, { target: "x0" });
  const logits = (s: number, x: number) => bayes(process, s, x).posterior.map(Math.log);

  test("scores from probabilities are ratios of marginals", () => {
    for (const s of [0.05, 0.7, 3])
      for (const x of reachable(process, s)) {
        // A mask's ratio to a clean token is set to the schedule's, whatever the prior (it is never drawn).
        if (process.kind === "absorbing" && x !== process.mask) continue;
        const scores = reading
          .logScores(logits(s, x), x, levelFromTotalNoise(s), new Float64Array(n))
          .map(Math.exp);
        for (let y = 0; y < n; y++)
          expect(scores[y]).toBeCloseTo(bayes(process, s, y).marginal / bayes(process, s, x).marginal, 12);
      }
  });

  test("probabilities from scores are Bayes's", () => {
    const scoring = readingOf(process, { target: "log_score" });
    for (const s of [0.05, 0.7, 3])
      for (const x of reachable(process, s)) {
        if (process.kind === "absorbing" && x !== process.mask) continue;
        const { marginal, posterior } = bayes(process, s, x);
        const scores = Array.from({ length: n }, (_, y) =>
          Math.log(bayes(process, s, y).marginal / marginal),
        );
        const found = scoring.probabilities(scores, x, levelFromTotalNoise(s), new Float64Array(n));
        for (let v = 0; v < n; v++) expect(found[v]).toBeCloseTo(posterior[v]!, 12);
      }
  });

  test.each([
    ["ancestral", ancestral()],
    ["analytic", analytic],
  ])("%s: every step keeps the exact marginals", (_, sampler) => {
    const plan = planFor(process, sampler.name, 6);
    for (const row of plan.rows) {
      const after = new Array<number>(n).fill(0);
      for (const x of reachable(process, row.totalNoise)) {
        const s = row.totalNoise;
        const p = reading.probabilities(logits(s, x), x, levelFromTotalNoise(s), new Float64Array(n));
        const read =
          sampler.reads === "probabilities"
            ? p
            : reading.logScores(logits(s, x), x, levelFromTotalNoise(s), new Float64Array(n)).map(Math.exp);
        const out = new Float64Array(n);
        const moves = sampler.weights(process, read, x, row, out);
        const next = moves ? normalized(out) : Array.from(out, (_w, y) => (y === x ? 1 : 0));
        for (let y = 0; y < n; y++) after[y]! += bayes(process, s, x).marginal * next[y]!;
      }
      for (let y = 0; y < n; y++)
        expect(after[y]).toBeCloseTo(bayes(process, row.to.totalNoise, y).marginal, 12);
    }
  });

  test("tau-leaping is exact to first order: halving the step quarters the error of a step", () => {
    const errorOf = (steps: number): number => {
      // Log-linear noise of masks is linear in t, where leaping is exact.
      const plan = planFor(process, "tau_leaping", steps, { family: "linear_noise" });
      const row = plan.rows[Math.floor(steps / 2)]!;
      // The same place in time for both: the middle of the grid.
      const x = process.kind === "absorbing" ? process.mask : 1;
      const s = row.totalNoise;
      const scores = reading
        .logScores(logits(s, x), x, levelFromTotalNoise(s), new Float64Array(n))
        .map(Math.exp);
      const [leap, exact] = [new Float64Array(n), new Float64Array(n)];
      tauLeaping.weights(process, scores, x, row, leap);
      analytic.weights(process, scores, x, row, exact);
      return Math.max(...normalized(leap).map((w, y) => Math.abs(w - normalized(exact)[y]!)));
    };
    const ratio = errorOf(41) / errorOf(81);
    expect(ratio).toBeGreaterThan(3.5);
    expect(ratio).toBeLessThan(4.5);
  });
});

test("transitions are the matrix exponential of the rates", () => {
  // e^(d Q) as the limit of (1 + d Q / m)^m, by squaring.
  for (const process of [masked, random]) {
    const n = process.vocabulary;
    const d = 0.8;
    const rate = (from: number, to: number): number =>
      process.kind === "uniform"
        ? (from === to ? -(n - 1) : 1) / n
        : from === process.mask
          ? 0
          : from === to
            ? -1
            : to === process.mask
              ? 1
              : 0;
    let power = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_u, j) => (i === j ? 1 : 0) + (d * rate(i, j)) / 2 ** 30),
    );
    for (let k = 0; k < 30; k++)
      power = power.map((row) =>
        row.map((_, j) => row.reduce((sum, value, m) => sum + value * power[m]![j]!, 0)),
      );
    for (let x = 0; x < n; x++) {
      const row = transposedTransition(process, x, d, new Float64Array(n));
      for (let y = 0; y < n; y++) expect(row[y]).toBeCloseTo(power[y]![x]!, 7);
    }
  }
});

test("subs: the mask is never predicted, and tokens that are not masked stay", () => {
  const reading = readingOf(masked, { target: "subs" });
  const p = reading.probabilities([1, 2, 50], 2, levelFromTotalNoise(1), new Float64Array(3));
  expect(p[2]).toBe(0);
  expect(p[1]! / p[0]!).toBeCloseTo(Math.E, 12);
  expect([...reading.probabilities([1, 2, 50], 0, levelFromTotalNoise(1), new Float64Array(3))]).toEqual([
    1, 0, 0,
  ]);
});

test("the nucleus holds the tokens up to the one that crosses p; ties go to the lower index", () => {
  expect([...restricted(Float64Array.of(0.4, 0.3, 0.2, 0.1), { top_p: 0.5 })]).toEqual([
    0.4 / 0.7,
    0.3 / 0.7,
    0,
    0,
  ]);
  expect([...restricted(Float64Array.of(0.25, 0.25, 0.25, 0.25), { top_k: 2 })]).toEqual([0.5, 0.5, 0, 0]);
  expect([...restricted(Float64Array.of(0.6, 0.4), { top_p: 0.6 })]).toEqual([1, 0]);
  // Without the token that crosses p: 0.5 + 0.25 is not above 0.8, the next one is; the best one stays in any case.
  const three = [0.5, 0.25, 0.25];
  expect([...restricted(Float64Array.from(three), { top_p: 0.8, nucleus_edge: "out" })]).toEqual([
    expect.closeTo(2 / 3, 12),
    expect.closeTo(1 / 3, 12),
    0,
  ]);
  expect([...restricted(Float64Array.from(three), { top_p: 0.3, nucleus_edge: "out" })]).toEqual([1, 0, 0]);
  // Of all, .4 + .3 are short of .75 and a third comes in; of the top three, .4/.9 + .3/.9 are enough.
  const four = [0.4, 0.3, 0.2, 0.1];
  const kept = (nucleus_of: "all" | "top_k") =>
    restricted(Float64Array.from(four), { top_k: 3, top_p: 0.75, nucleus_of }).filter((p) => p > 0).length;
  expect([kept("all"), kept("top_k")]).toEqual([3, 2]);
  expect(softmaxInto([0, 2], 2, new Float64Array(2))[1]).toBeCloseTo(Math.E / (1 + Math.E), 14);
});

test("draws follow their weights, and a seed names the same numbers in any order", () => {
  const uniform = seededUniforms(5, 3);
  expect(uniform(3, 1, 2, 0)).toBe(seededUniforms(5, 3)(3, 1, 2, 0));
  expect(uniform(3, 1, 2, 0)).not.toBe(uniform(3, 1, 2, 1));
  const weights = Float64Array.of(1, 2, 5);
  const counts = [0, 0, 0];
  const draws = 40_000;
  for (let k = 0; k < draws; k++) counts[drawFrom(weights, (v) => uniform(1, 0, k, v))]!++;
  // Five standard deviations of a binomial count.
  for (const [v, count] of counts.entries()) {
    const p = weights[v]! / 8;
    expect(Math.abs(count - draws * p)).toBeLessThan(5 * Math.sqrt(draws * p * (1 - p)));
  }
});

test("plug_in: Duo's posterior, and Bayes where the output is the prior itself", () => {
  const plan = planFor(random, "ancestral", 5);
  const reading = readingOf(random, { target: "plug_in" });
  const n = random.vocabulary;
  const x = [0.1, 0.6, 0.25, 0.05];
  for (const row of plan.rows)
    for (let token = 0; token < n; token++) {
      const p = reading.probabilities(x.map(Math.log), token, row, new Float64Array(n));
      const weights = new Float64Array(n);
      ancestral().weights(random, p, token, row, weights);
      const [at, as] = [row.alphaBar, row.to.alphaBar];
      const both = at / as;
      for (let v = 0; v < n; v++) {
        const here = v === token ? 1 : 0;
        const above =
          at * n * x[v]! * here + (both - at) * here + (as - at) * x[v]! + ((1 - both) * (1 - as)) / n;
        expect(normalized(weights)[v]).toBeCloseTo(above / (at * n * x[token]! + (1 - at)), 12);
      }
      const exact = reading.probabilities(prior.uniform.map(Math.log), token, row, new Float64Array(n));
      for (let v = 0; v < n; v++)
        expect(exact[v]).toBeCloseTo(bayes(random, row.totalNoise, token).posterior[v]!, 12);
    }
  // The argmax at the end is of the output itself: 3 at the position makes 3 likely, not the network's best.
  expect([...reading.own(x.map(Math.log), 3, levelFromTotalNoise(1e-5), new Float64Array(n))]).toEqual(
    x.map((p) => expect.closeTo(p, 12)),
  );
});

test.each([
  [masked, "on its way"],
  [random, "on its way"],
  [masked, "at rest"],
  [random, "at rest"],
] as const)("psi keeps the marginals of $kind %s, whatever kappa is", (process, way) => {
  const n = process.vocabulary;
  const moving = planFor(process, "psi", 6).rows[2]!;
  const row = way === "at rest" ? { ...moving, to: moving } : moving;
  for (const value of [0, 0.3, 1]) {
    const reached = new Array<number>(n).fill(0);
    for (const x of reachable(process, row.totalNoise)) {
      const { posterior, marginal } = bayes(process, row.totalNoise, x);
      const weights = new Float64Array(n);
      psi().weights(process, Float64Array.from(posterior), x, { ...row, kappa: value }, weights);
      for (let y = 0; y < n; y++) reached[y]! += marginal * normalized(weights)[y]!;
    }
    for (let y = 0; y < n; y++)
      expect(reached[y]).toBeCloseTo(bayes(process, row.to.totalNoise, y).marginal, 12);
  }
});

test("psi's kappa by hand", () => {
  const at = (from: number, to: number) => ({
    ...planFor(random, "psi", 3).rows[1]!,
    alphaBar: from,
    to: { ...planFor(random, "psi", 3).rows[1]!.to, alphaBar: to, sigma2: 1 - to },
  });
  // m = min(1, .4 / .4): 1 - .1 / .4
  expect(kappaOf({ kind: "capped", eta: 0.1 }, at(0.4, 0.6))).toBeCloseTo(0.75, 12);
  // m = .1 / .8: 1 - .5 m / .1
  expect(kappaOf({ kind: "rescaled", eta: 0.5 }, at(0.8, 0.9))).toBeCloseTo(0.375, 12);
  // 1 - .2 / .1 is below 0
  expect(kappaOf({ kind: "fixed", eta: 0.2 }, at(0.8, 0.9))).toBe(0);
  expect(kappaOf({ kind: "fixed", eta: 0.2 }, at(0.8, 1))).toBe(1);
  expect(kappaOf({ kind: "table", values: [1, 0.25] }, at(0.4, 0.6))).toBe(0.25);
  expect(() => kappaOf({ kind: "table", values: [1] }, at(0.4, 0.6))).toThrow(/step 1/);
});

test("temperature and nucleus act on log scores as on the probabilities that they stand for", () => {
  for (const process of [masked, random]) {
    const n = process.vocabulary;
    const [s, x] = [0.7, process.kind === "absorbing" ? process.mask : 1];
    const { posterior } = bayes(process, s, x);
    const choice = { temperature: 0.5, top_p: 0.7 };
    const logits = Array.from({ length: n }, (_, y) => Math.log(bayes(process, s, y).marginal));
    const scored = readingOf(process, { target: "log_score" }, choice);
    const ratio = logits.map((l) => l - logits[x]!);
    const clean = readingOf(process, { target: "x0" }, choice);
    for (const read of ["probabilities", "logScores"] as const) {
      const ours = scored[read](ratio, x, levelFromTotalNoise(s), new Float64Array(n));
      const direct = clean[read](posterior.map(Math.log), x, levelFromTotalNoise(s), new Float64Array(n));
      for (let v = 0; v < n; v++) expect(Math.exp(ours[v]!)).toBeCloseTo(Math.exp(direct[v]!), 10);
    }
    // By hand: squares of the posterior, the best ones up to .7.
    const squares = posterior.map((p) => p * p);
    const best = Math.max(...squares) / squares.reduce((sum, p) => sum + p, 0);
    const kept = scored
      .probabilities(ratio, x, levelFromTotalNoise(s), new Float64Array(n))
      .filter((p) => p > 0).length;
    expect(kept === 1).toBe(best >= 0.7);
  }
});
