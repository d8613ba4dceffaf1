// Schedules and samplers of continuous diffusion against closed forms that are not their own code.
import { describe, expect, test } from "vitest";
import { planSampler, resolveSchedule, type SamplerPlan } from "../../src/diffusion/index.js";
import { truncatedNoise } from "../../src/diffusion/normal.js";

const alphaBarAt = (description: Parameters<typeof resolveSchedule>[0], t: number): number => {
  const schedule = resolveSchedule(description);
  return schedule.kind === "continuous" ? schedule.at(t).alphaBar : schedule.alphaBar[t]!;
};

describe("families at values worked out by hand", () => {
  test.each([
    // exp(-0.1 / 2 - 19.9 / 8)
    [{ family: "vp_linear" }, 0.5, 0.0790638],
    // exp(-1e-4 - 10 t^2), t = 0.3
    [{ family: "vp_linear", beta_min: 0, beta_max: 20, floor: 1e-4 }, 0.3, 0.406529],
    // cos^2 from 0 to 1 is itself: 1 - 1 + .5
    [{ family: "cosine_rescaled" }, 0.5, 0.5],
    // cos(pi/8)^2 with tau 1: v runs from 1 to 0
    [{ family: "cosine_rescaled" }, 0.25, 0.8535534],
    // symmetric, and (s(3) - s(-1.5)) / (s(3) - s(-3)) = (.952574 - .182426) / .905148
    [{ family: "sigmoid" }, 0.5, 0.5],
    [{ family: "sigmoid" }, 0.25, 0.8508537],
    // 1 - sin(pi/6), 1 - sin(.999 pi/4)
    [{ family: "sine", eps: 0 }, 1 / 3, 0.5],
    [{ family: "sine" }, 0.5, 0.2934485],
    // (3/4)^2
    [{ family: "polynomial", exponent: 2 }, 0.25, 0.5625],
    // s = 3/4: 3 (9/16) - 2 (27/64), then + 2 (3/64) - (9/64) / 2
    [{ family: "cubic" }, 0.25, 0.84375],
    [{ family: "cubic", a: 2, b: 0.5 }, 0.25, 0.8671875],
    // sigma 80 and 0.002
    [{ family: "karras" }, 1, 1 / 6401],
    // 1 / (1 + 81 tan(pi/8)^2), TEncDM's tan-9
    [{ family: "cosine", offset: 0, log_snr_shift: -2 * Math.log(9) }, 0.25, 0.0671258],
    [{ family: "karras", sigma_min: 1, sigma_max: 300, rho: 1 }, 0.5, 1 / (1 + 150.5 ** 2)],
  ])("%o at %f", (description, t, expected) => {
    expect(alphaBarAt(description, t)).toBeCloseTo(expected, 6);
  });

  test.each([
    { family: "polynomial", exponent: 3 },
    { family: "polynomial", exponent: 0.5 },
    { family: "cubic", a: 2, b: 0.5 },
    { family: "power", exponent: 2 },
    { family: "logarithmic" },
    { family: "log_linear" },
    { family: "geometric" },
    { family: "linear_noise" },
    { family: "sine" },
    { family: "cosine_power", power: 2 },
  ])("%o: signal and noise sum to one, and slope and rate are their derivatives", (description) => {
    const schedule = resolveSchedule(description);
    if (schedule.kind !== "continuous") throw new Error("not continuous");
    const h = 1e-5;
    for (const t of [0.1, 0.35, 0.5, 0.8]) {
      const [before, at, after] = [t - h, t, t + h].map((time) => schedule.at(time));
      expect(at!.alphaBar + at!.sigma2).toBeCloseTo(1, 14);
      const slope = (after!.alphaBar - before!.alphaBar) / (2 * h);
      expect(schedule.slope!(t)).toBeCloseTo(slope, 7);
      expect(schedule.rate!(t)).toBeCloseTo(-slope / at!.alphaBar, 4);
    }
  });

  test("the slope is finite where no signal is left", () => {
    const slopeAt = (description: Parameters<typeof resolveSchedule>[0]): number => {
      const schedule = resolveSchedule(description);
      return schedule.kind === "continuous" ? schedule.slope!(1) : Number.NaN;
    };
    expect(slopeAt({ family: "polynomial" })).toBe(-1);
    expect(slopeAt({ family: "cubic", a: 2 } as never)).toBe(-2);
    expect(slopeAt({ family: "power", exponent: 2 } as never)).toBe(-2);
  });

  test("betas: the square of evenly spaced roots, and a logistic curve", () => {
    const betas = (family: string) => {
      const schedule = resolveSchedule({
        family,
        discretization: { kind: "given_beta", num_train_steps: 3 },
      });
      return schedule.kind === "discrete" ? [...schedule.betas] : [];
    };
    // The middle root is (0.01 + 0.1414214) / 2.
    expect(betas("scaled_linear")[1]).toBeCloseTo(0.0757107 ** 2, 8);
    expect(betas("sigmoid_beta")[1]).toBeCloseTo((1e-4 + 0.02) / 2, 12);
    expect(betas("sigmoid_beta")[0]).toBeCloseTo(1e-4 + (0.02 - 1e-4) / (1 + Math.exp(6)), 12);
  });

  test("a listed schedule has the listed levels, and the betas between them", () => {
    const schedule = resolveSchedule({
      family: "table",
      alpha_bars: [0.9, 0.72, 0.18, 0],
      discretization: { kind: "given_beta", num_train_steps: 4 },
    } as Parameters<typeof resolveSchedule>[0]);
    if (schedule.kind !== "discrete") throw new Error("a table has training steps");
    // 1 - 0.9, 1 - 0.72 / 0.9, 1 - 0.18 / 0.72, 1.
    for (const [i, beta] of [0.1, 0.2, 0.75, 1].entries()) expect(schedule.betas[i]).toBeCloseTo(beta, 14);
    for (const [i, level] of [0.9, 0.72, 0.18, 0].entries())
      expect(schedule.alphaBar[i]).toBeCloseTo(level, 14);
  });

  test("a noise factor F is a shift of the log signal-to-noise ratio by -2 ln F", () => {
    const factor = 4;
    for (const t of [0.1, 0.5, 0.9]) {
      const plain = alphaBarAt({ family: "vp_linear" }, t);
      const moved = alphaBarAt({ family: "vp_linear", log_snr_shift: -2 * Math.log(factor) }, t);
      expect(moved).toBeCloseTo(plain / (factor ** 2 - (factor ** 2 - 1) * plain), 12);
    }
  });

  test("TEncDM's tan-d, alpha_bar = 1 / (1 + d^2 tan^2(pi t / 2)), is the cosine with its log SNR shifted by -2 ln d", () => {
    const [d, discretization] = [7, { kind: "continuous" as const }];
    const schedule = { family: "cosine", offset: 0, discretization, log_snr_shift: -2 * Math.log(d) };
    for (const t of [0.01, 0.3, 0.8, 0.99])
      expect(alphaBarAt(schedule, t)).toBeCloseTo(1 / (1 + (d * Math.tan((Math.PI / 2) * t)) ** 2), 12);
  });
});

/**
 * One number with x0 ~ N(0, v): the exact denoiser is x0 = alpha v x / (alpha^2 v + sigma^2), and the probability flow
 * keeps x / sqrt(alpha^2 v + sigma^2) constant.
 */
const variance = 0.25;
function errorOf(kind: string, steps: number): number {
  const plan: SamplerPlan = planSampler({
    noise_schedule: { family: "vp_linear" },
    timesteps: { kind: "linspace", from: 1, to: 0.05, num_steps: steps },
    prediction_type: { x0_from: "softmax_embedding" },
    sampler: { kind },
  });
  const spread = (alphaBar: number, sigma2: number) => Math.sqrt(alphaBar * variance + sigma2);
  let [x, before] = [1, 0];
  for (const row of plan.rows) {
    const x0 = (Math.sqrt(row.alphaBar) * variance * x) / (row.alphaBar * variance + row.sigma2);
    [x, before] = [row.a * x0 + row.b * x + row.c * before, x0];
  }
  const [first, last] = [plan.rows[0]!, plan.finalRow!];
  return Math.abs(x - spread(last.alphaBar, last.sigma2) / spread(first.alphaBar, first.sigma2));
}

describe("order of convergence on a flow that is known", () => {
  test.each([
    ["ddim", 1],
    ["euler", 1],
    ["dpmpp_2m", 2],
  ])("%s has order %i", (kind, order) => {
    const observed = Math.log2(errorOf(kind, 161) / errorOf(kind, 321));
    expect(observed).toBeGreaterThan(order - 0.25);
    expect(observed).toBeLessThan(order + 0.4);
  });

  test("Euler in sigma over alpha is ddim without noise, number by number", () => {
    const rows = (kind: string) =>
      planSampler({
        noise_schedule: { family: "vp_linear" },
        timesteps: { kind: "linspace", from: 1, to: 0.01, num_steps: 9 },
        sampler: { kind },
      }).rows;
    rows("euler").forEach((row, i) => {
      expect(row.a).toBeCloseTo(rows("ddim")[i]!.a, 12);
      expect(row.b).toBeCloseTo(rows("ddim")[i]!.b, 12);
    });
  });

  test("full renoising keeps nothing of x", () => {
    const plan = planSampler({
      noise_schedule: { family: "vp_linear" },
      timesteps: { kind: "linspace", from: 1, to: 0.2, num_steps: 4 },
      sampler: { kind: "renoise", final: "round" },
    });
    for (const [i, row] of plan.rows.entries()) {
      const next = plan.rows[i + 1];
      expect([row.b, row.c]).toEqual([0, 0]);
      expect(row.a ** 2 + row.s ** 2).toBeCloseTo(1, 12);
      expect(row.a).toBeCloseTo(Math.sqrt(next?.alphaBar ?? 1), 12);
    }
  });
});

test("truncated noise is the plain noise where that fits, and within the bound everywhere", () => {
  const plain = truncatedNoise(7, 2, 50, 8, Number.POSITIVE_INFINITY)(3);
  const cut = truncatedNoise(7, 2, 50, 8, 1)(3);
  expect(plain.some((value) => Math.abs(value) > 1)).toBe(true);
  expect(cut.every((value) => Math.abs(value) <= 1)).toBe(true);
  plain.forEach((value, i) => {
    if (Math.abs(value) <= 1) expect(cut[i]).toBe(value);
  });
});
