// Discrete flow matching: the rates lead through the laws they are meant to (Kolmogorov's equation, every case counted), a step
// is the one of the released solver, stochasticity is Campbell's.
import { describe, expect, test } from "vitest";
import { readingOf } from "../../src/diffusion/discrete/reading.js";
import { discreteFlow } from "../../src/diffusion/discrete/samplers/discrete-flow.js";
import { planTokens, type TokenPlan } from "../../src/diffusion/discrete/token-plan.js";
import type { ScoredProcess } from "../../src/diffusion/discrete/token-process.js";

const n = 4;
const everyToken = Array.from({ length: n }, (_, v) => v);
const masked: ScoredProcess = { kind: "absorbing", vocabulary: n, mask: 3 };
const random: ScoredProcess = { kind: "uniform", vocabulary: n };
/** The law of the data. */
const data = { absorbing: [0.5, 0.2, 0.3, 0], uniform: [0.5, 0.1, 0.25, 0.15] };

/** kappa of the flow's time s, and its derivative. */
const schedules = {
  "s^2": {
    parts: { family: "polynomial", exponent: 2 },
    kappa: (s: number) => s * s,
    rise: (s: number) => 2 * s,
  },
  cubic: {
    parts: { family: "cubic", a: 1, b: 2 },
    kappa: (s: number) => -2 * s ** 3 + 3 * s ** 2 + (s ** 3 - 2 * s ** 2 + s) + 2 * (s ** 3 - s ** 2),
    rise: (s: number) => -6 * s ** 2 + 6 * s + (3 * s ** 2 - 4 * s + 1) + 2 * (3 * s ** 2 - 2 * s),
  },
} as const;

const plans = (
  process: ScoredProcess,
  schedule: object,
  corrector: object | undefined,
  values: readonly number[] = [1, 0.7, 0.4, 0.1],
): TokenPlan =>
  planTokens({
    state_space: {
      kind: process.kind,
      vocab_size: n,
      ...("mask" in process && { mask_token_id: process.mask }),
    },
    noise_schedule: schedule as { family: string },
    timesteps: { kind: "table", values },
    sampler: { kind: "discrete_flow", ...(corrector && { corrector }) },
  });

const noiseLaw = (process: ScoredProcess): number[] =>
  everyToken.map((v) => (process.kind === "uniform" ? 1 / n : Number(v === process.mask)));

/** p(x_1 | x) and p(x) where kappa of the data is mixed with noise. */
function bayes(process: ScoredProcess, kappa: number, x: number): { posterior: number[]; marginal: number } {
  const p0 = noiseLaw(process);
  const joint = data[process.kind].map((p, v) => p * (kappa * Number(v === x) + (1 - kappa) * p0[x]!));
  const marginal = joint.reduce((sum, p) => sum + p, 0);
  return { posterior: joint.map((p) => (marginal > 0 ? p / marginal : 0)), marginal };
}

describe.each([masked, random])("$kind", (process) => {
  describe.each(Object.entries(schedules))("%s", (_, { parts, kappa, rise }) => {
    test.each([
      undefined,
      { scale: 0.7 },
      { scale: 3, signal_power: 0.5, noise_power: 0.25 },
    ])("rates with the corrector %o lead through the mixtures", (corrector) => {
      const plan = plans(process, parts, corrector);
      const p0 = noiseLaw(process);
      for (const row of plan.rows) {
        const s = 1 - row.t;
        const h = row.t - row.to.t;
        const change = new Array<number>(n).fill(0);
        for (const x of everyToken) {
          const { posterior, marginal } = bayes(process, kappa(s), x);
          if (marginal === 0) continue;
          const out = new Float64Array(n);
          discreteFlow("linear").weights(process, Float64Array.from(posterior), x, row, out);
          for (const y of everyToken) {
            if (y === x) continue;
            change[y]! += (marginal * out[y]!) / h;
            change[x]! -= (marginal * out[y]!) / h;
          }
        }
        for (const y of everyToken)
          expect(change[y]).toBeCloseTo(rise(s) * (data[process.kind][y]! - p0[y]!), 11);
      }
    });

    test("a step is the released solver's: x_1 drawn, a jump by its intensity, then a token by the rates", () => {
      const c = 0.6;
      const plan = plans(process, parts, { scale: c, signal_power: 0 });
      const p0 = noiseLaw(process);
      const p = [0.1, 0.35, 0.35, 0.2];
      for (const row of plan.rows.slice(1)) {
        const [s, h] = [1 - row.t, row.t - row.to.t];
        const k = kappa(s);
        for (const x of everyToken) {
          const exact = new Array<number>(n).fill(0);
          for (const x1 of everyToken) {
            const u = everyToken.map((y) =>
              y === x
                ? 0
                : (rise(s) / (1 - k)) * Number(y === x1) +
                  ((c * rise(s)) / (k * (1 - k))) * ((1 - k) * p0[y]! + k * Number(y === x1)),
            );
            const intensity = u.reduce((sum, rate) => sum + rate, 0);
            const jumps = 1 - Math.exp(-h * intensity);
            for (const y of everyToken)
              exact[y]! += p[x1]! * (intensity === 0 ? 0 : (jumps * u[y]!) / intensity);
            exact[x]! += p[x1]! * (1 - jumps);
          }
          const out = new Float64Array(n);
          const moves = discreteFlow().weights(process, Float64Array.from(p), x, row, out);
          if (moves) for (const y of everyToken) expect(out[y]).toBeCloseTo(exact[y]!, 12);
          else expect(exact[x]).toBeCloseTo(1, 12);
        }
      }
    });
  });
});

test("Campbell's stochasticity: masks open at (1 + eta s) / (1 - s) and tokens close at eta, kappa = s", () => {
  const eta = 2.5;
  const plan = plans(masked, { family: "polynomial" }, { scale: eta });
  const p = Float64Array.of(0.2, 0.5, 0.3, 0);
  for (const row of plan.rows) {
    const [s, h] = [1 - row.t, row.t - row.to.t];
    const out = new Float64Array(n);
    discreteFlow("linear").weights(masked, p, masked.mask, row, out);
    for (const v of [0, 1, 2]) expect(out[v]).toBeCloseTo((h * p[v]! * (1 + eta * s)) / (1 - s), 12);
    if (s === 0) continue;
    // A placed token is its own clean token.
    discreteFlow("linear").weights(masked, Float64Array.of(0, 1, 0, 0), 1, row, out);
    expect(out[masked.mask]).toBeCloseTo(h * eta, 12);
    expect(out[1]).toBeCloseTo(1 - h * eta, 12);
  }
});

test("without a corrector a placed token stays, and short steps are the ancestral sampler's", () => {
  const plan = plans(masked, { family: "polynomial" }, undefined, [0.5, 0.499]);
  const [row] = plan.rows;
  const out = new Float64Array(n);
  expect(discreteFlow().weights(masked, Float64Array.of(0, 1, 0, 0), 1, row!, out)).toBe(false);
  const reading = readingOf(masked, { target: "subs" });
  const p = reading.probabilities([1, 2, 0, 9], masked.mask, row!, new Float64Array(n));
  discreteFlow().weights(masked, p, masked.mask, row!, out);
  // (m_t - m_s) / m_t
  for (const v of [0, 1, 2]) expect(out[v]! / (p[v]! * 0.002)).toBeCloseTo(1, 2);
});

test("a schedule without a slope is refused", () => {
  expect(() =>
    plans(
      masked,
      { family: "table", alpha_bars: [0.9, 0.1], discretization: { kind: "given_beta", num_train_steps: 2 } },
      undefined,
      [1, 0],
    ),
  ).toThrow(/derivative of the noise schedule/);
});

test.each([
  "discrete_flow",
  "analytic",
  "tau_leaping",
])("%s is refused where noise has no closed form", (kind) => {
  expect(() =>
    planTokens({
      state_space: { kind: "hybrid", vocab_size: n, random_tokens: { kind: "constant", share: 0.5 } },
      noise_schedule: { family: "log_linear" },
      timesteps: { kind: "linspace", num_steps: 3 },
      sampler: { kind },
    }),
  ).toThrow(/absorbing and uniform/);
});
