// Noise by a matrix, held to matrices multiplied one trained step after the other, to Bayes's rule over the whole vocabulary,
// and to the closed forms of the uniform and the absorbing state.
import { describe, expect, test } from "vitest";
import type { TransitionDescription } from "../../src/diffusion/discrete/matrices.js";
import { readingOf } from "../../src/diffusion/discrete/reading.js";
import { ancestral } from "../../src/diffusion/discrete/samplers/ancestral.js";
import { psi } from "../../src/diffusion/discrete/samplers/psi.js";
import { planTokens, type TokenPlan } from "../../src/diffusion/discrete/token-plan.js";
import { shownLevel, type TokenProcess } from "../../src/diffusion/index.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { TokenRunner } from "../../src/runtime/token-runner.js";

const n = 5;
const everyToken = Array.from({ length: n }, (_, v) => v);
const prior = [0.35, 0.05, 0.3, 0.2, 0.1];

type Matrix = readonly (readonly number[])[];
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
const one: Matrix = everyToken.map((i) => everyToken.map((j) => (i === j ? 1 : 0)));

/** e^(s R) by its power series at s R / 1024, squared ten times. */
function exponential(rates: Matrix, s: number): Matrix {
  const small = rates.map((row) => row.map((rate) => (s * rate) / 1024));
  let [sum, term] = [one, one];
  for (let k = 1; k <= 20; k++) {
    term = times(term, small).map((row) => row.map((value) => value / k));
    sum = sum.map((row, i) => row.map((value, j) => value + term[i]![j]!));
  }
  for (let k = 0; k < 10; k++) sum = times(sum, sum);
  return sum;
}

/** Diagonals that make rows sum to `sum`. */
const closed = (matrix: Matrix, sum: number): Matrix =>
  matrix.map((row, i) => {
    const others = row.reduce((total, value, j) => (i === j ? total : total + value), 0);
    return row.map((value, j) => (i === j ? sum - others : value));
  });

const normalized = (weights: ArrayLike<number>): number[] => {
  const sum = Array.from(weights).reduce((total, w) => total + w, 0);
  return Array.from(weights, (w) => w / sum);
};

const trained = 9;
/** D3PM's linear betas, large enough for nine steps. */
const betas = Array.from({ length: trained }, (_, i) => 0.05 + (0.6 - 0.05) * (i / (trained - 1)));

const band = (beta: number): Matrix =>
  closed(
    everyToken.map((i) => everyToken.map((j) => (i !== j && Math.abs(i - j) <= 2 ? beta / n : 0))),
    1,
  );

const gaussian = (beta: number): Matrix => {
  const weight = (d: number): number => Math.exp((-4 * d ** 2) / ((n - 1) ** 2 * beta));
  let sum = 0;
  for (let d = -(n - 1); d <= n - 1; d++) sum += weight(d);
  return closed(
    everyToken.map((i) => everyToken.map((j) => weight(i - j) / sum)),
    1,
  );
};

const byRates = (transition: TransitionDescription, kind = "ancestral"): TokenPlan =>
  planTokens({
    state_space: { kind: "matrix", vocab_size: n, transition },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "table", values: [1, 0.6, 0.3, 0.02] },
    sampler: { kind, final: "none" },
  });

const bySteps = (transition: TransitionDescription): TokenPlan =>
  planTokens({
    state_space: { kind: "matrix", vocab_size: n, transition },
    noise_schedule: {
      family: "linear",
      beta_start: 0.05,
      beta_end: 0.6,
      rescale: false,
      discretization: { kind: "given_beta", num_train_steps: trained },
    } as never,
    timesteps: { kind: "table", values: [8, 5, 4, 0] },
    sampler: { kind: "ancestral", final: "none" },
  });

const uneven = everyToken.map((i) => everyToken.map((j) => (j + 1) * (0.1 + ((3 * i + 7 * j) % 5) / 4)));
const unevenRates = closed(uneven, 0);

/** Embeddings on a plane; by hand, the two nearest of each token: 0: 1 2, 1: 0 2, 2: 1 0, 3: 4 2, 4: 3 2. */
const embeddings = [
  [0, 0],
  [1, 0],
  [1.5, 0.5],
  [5, 5],
  [5, 6],
];
const near = [
  [1, 2],
  [0, 2],
  [1, 0],
  [4, 2],
  [3, 2],
];
const nearRates = closed(
  everyToken.map((i) =>
    everyToken.map((j) => (Number(near[i]!.includes(j)) + Number(near[j]!.includes(i))) / 4),
  ),
  0,
);

/** q(x_t | x_s) between the plan's level k and the next, or from x_0 to the last, by plain products. */
const cases: readonly [string, () => TokenPlan, (plan: TokenPlan) => { first: Matrix; steps: Matrix[] }][] = [
  ["band", () => bySteps({ kind: "band", width: 2 }), (plan) => ofSteps(plan, band)],
  ["gaussian", () => bySteps({ kind: "gaussian" }), (plan) => ofSteps(plan, gaussian)],
  ["uneven rates", () => byRates({ kind: "rates", rates: uneven }), (plan) => ofRates(plan, unevenRates)],
  [
    "nearest neighbours",
    () => byRates({ kind: "nearest", neighbours: 2, embeddings }),
    (plan) => ofRates(plan, nearRates),
  ],
];

function ofSteps(plan: TokenPlan, step: (beta: number) => Matrix) {
  const through = (first: number, last: number): Matrix =>
    betas.slice(first, last + 1).reduce((all, beta) => times(all, step(beta)), one);
  return {
    first: through(0, plan.finalRow.index!),
    steps: plan.rows.map(({ index, to }) => through(to.index! + 1, index!)),
  };
}

function ofRates(plan: TokenPlan, rates: Matrix) {
  const noise = (t: number): number => -Math.log(1 - 0.999 * t);
  return {
    first: exponential(rates, noise(plan.finalRow.t)),
    steps: plan.rows.map(({ t, to }) => exponential(rates, noise(t) - noise(to.t))),
  };
}

const digits = 11;

describe.each(cases)("%s", (_, make, matrices) => {
  const plan = make();
  const { first, steps } = matrices(plan);
  /** q(x_t | x_0) of every level, the noisiest first. */
  const marginals = [first];
  for (const step of [...steps].reverse()) marginals.unshift(times(marginals[0]!, step));
  const reading = readingOf(plan.process, { target: "x0" });

  test("an ancestral step with the exact network is Bayes's rule", () => {
    for (const [k, row] of plan.rows.entries())
      for (const x of everyToken) {
        const logits = prior.map((p, u) => Math.log(p * marginals[k]![u]![x]!));
        const weights = new Float64Array(n);
        const p = reading.probabilities(logits, x, row, new Float64Array(n));
        expect(ancestral().weights(plan.process, p, x, row, weights)).toBe(true);
        const exact = everyToken.map((v) =>
          prior.reduce((sum, chance, u) => sum + chance * marginals[k + 1]![u]![v]! * steps[k]![v]![x]!, 0),
        );
        for (const [v, chance] of normalized(exact).entries())
          expect(normalized(weights)[v]).toBeCloseTo(chance, digits);
      }
  });

  test("plug_in: (x_t Q^T) * (x Q to s), D3PM's reverse step", () => {
    const plugged = readingOf(plan.process, { target: "plug_in" });
    const x0 = [0.5, 0.2, 0.05, 0.15, 0.1];
    for (const [k, row] of plan.rows.entries())
      for (const x of everyToken) {
        const weights = new Float64Array(n);
        const p = plugged.probabilities(x0.map(Math.log), x, row, new Float64Array(n));
        ancestral().weights(plan.process, p, x, row, weights);
        const towards = times([x0], marginals[k + 1]!)[0]!;
        const direct = everyToken.map((v) => steps[k]![v]![x]! * towards[v]!);
        for (const [v, chance] of normalized(direct).entries())
          expect(normalized(weights)[v]).toBeCloseTo(chance, digits);
      }
  });

  test("psi keeps the marginals", () => {
    for (const [k, row] of plan.rows.entries()) {
      const reached = new Array<number>(n).fill(0);
      for (const x of everyToken) {
        const joint = prior.map((p, u) => p * marginals[k]![u]![x]!);
        const weights = new Float64Array(n);
        const p = Float64Array.from(normalized(joint));
        psi().weights(plan.process, p, x, { ...row, kappa: 0.3 }, weights);
        const here = joint.reduce((sum, chance) => sum + chance, 0);
        for (const [v, chance] of normalized(weights).entries()) reached[v]! += here * chance;
      }
      const exact = times([prior], marginals[k + 1]!)[0]!;
      for (const v of everyToken) expect(reached[v]).toBeCloseTo(exact[v]!, digits);
    }
  });

  test("the first state's law is where noise leads", () => {
    const { limit } = plan.process as Extract<TokenProcess, { kind: "matrix" }>;
    // One more step leaves it as it is.
    const moved = times([[...limit]], steps[0]!)[0]!;
    for (const v of everyToken) expect(moved[v]).toBeCloseTo(limit[v]!, 11);
    expect(limit.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
  });

  test("the chance to be kept is the mean diagonal", () => {
    for (const [k, point] of [...plan.rows, plan.finalRow].entries())
      expect(shownLevel(plan.process, point).kept).toBeCloseTo(
        everyToken.reduce((sum, v) => sum + marginals[k]![v]![v]!, 0) / n,
        digits,
      );
  });
});

test("two components: neighbours that never meet keep their share of the first state", () => {
  const rates = everyToken.map((i) => everyToken.map((j) => (i < 2 === j < 2 ? 1 : 0)));
  const { process } = byRates({ kind: "rates", rates });
  const { limit } = process as Extract<TokenProcess, { kind: "matrix" }>;
  for (const p of limit) expect(p).toBeCloseTo(1 / n, 12);
});

const closedForms: readonly [TokenProcess, Matrix][] = [
  [{ kind: "uniform", vocabulary: n }, everyToken.map(() => everyToken.map(() => 1 / n))],
  [
    { kind: "absorbing", vocabulary: n, mask: 3 },
    everyToken.map((i) => everyToken.map((j) => (j === 3 && i !== 3 ? 1 : 0))),
  ],
];

test.each(closedForms)("$kind as a matrix is the closed form", (process, rates) => {
  const plan = byRates({ kind: "rates", rates });
  const p = normalized(everyToken.map((v) => (process.kind === "absorbing" && v === 3 ? 0 : v + 1)));
  for (const row of plan.rows)
    for (const x of process.kind === "absorbing" ? [3] : everyToken) {
      const [ours, exact] = [new Float64Array(n), new Float64Array(n)];
      for (const sampler of [ancestral(), psi()]) {
        const step = { ...row, kappa: 0.9 };
        sampler.weights(plan.process, Float64Array.from(p), x, step, ours);
        sampler.weights(process, Float64Array.from(p), x, step, exact);
        for (const v of everyToken) expect(normalized(ours)[v]).toBeCloseTo(normalized(exact)[v]!, 12);
      }
      const logits = p.map((chance) => Math.log(chance || 1e-300));
      const scores = (of: TokenProcess) =>
        readingOf(of, { target: "x0" }).logScores(logits, x, row, new Float64Array(n));
      for (const v of everyToken)
        expect(Math.exp(scores(plan.process)[v]!)).toBeCloseTo(Math.exp(scores(process)[v]!), 9);
    }
  const { limit } = plan.process as Extract<TokenProcess, { kind: "matrix" }>;
  for (const v of everyToken)
    expect(limit[v]).toBeCloseTo(process.kind === "uniform" ? 1 / n : v === 3 ? 1 : 0, 12);
});

test("the first state is drawn from the limit: counts within five standard deviations", async () => {
  const length = 4000;
  const flat: TokenRunner = {
    length,
    vocabulary: n,
    logits: async ({ tokens }) => new Float64Array(tokens.length * n),
    async dispose() {},
  };
  const plan = byRates({ kind: "rates", rates: uneven });
  let start: Int32Array | undefined;
  const onLogits = (_: unknown, tokens: Int32Array): void => {
    start ??= tokens;
  };
  for await (const { done } of decodeTokens(flat, { plan, noise: 2, onLogits })) if (done) break;
  const law = exponential(unevenRates, 40)[0]!;
  expect(Math.max(...law) / Math.min(...law)).toBeGreaterThan(1.1);
  for (const v of everyToken) {
    const count = start!.filter((token) => token === v).length;
    expect(Math.abs(count - length * law[v]!)).toBeLessThan(5 * Math.sqrt(length * law[v]! * (1 - law[v]!)));
  }
});

test.each([
  [{ kind: "rates", rates: everyToken.map(() => [1, 2]) }, "model/rates"],
  [{ kind: "rates", rates: everyToken.map(() => everyToken.map((j) => (j === 1 ? -1 : 1))) }, "model/rates"],
  [{ kind: "gaussian" }, "schedule/needs-steps"],
] as const)("%o is refused with %s", (transition, code) => {
  expect(() => byRates(transition as TransitionDescription)).toThrow(
    expect.objectContaining({ diagnostics: [expect.objectContaining({ code })] }),
  );
});
