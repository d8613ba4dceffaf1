import { describe, expect, it } from "vitest";
import { clean, levelFromGamma } from "../../src/diffusion/noise-level.js";
import { planSampler } from "../../src/diffusion/plan.js";
import { ddim } from "../../src/diffusion/samplers/ddim.js";
import { ddpm } from "../../src/diffusion/samplers/ddpm.js";
import { bindSampler } from "../../src/diffusion/samplers/index.js";

const moves = [
  [9, 8],
  [4, -1],
  [0.5, 0.4],
  [-2, -6],
].map(([from, to]) => [levelFromGamma(from!), levelFromGamma(to!)] as const);

/** Powers of moderate levels: 1 - alpha_bar loses at most log2(1 / sigma2) bits, 9 of 52 at gamma -6. */
const tolerance = 512 * 8 * 2 ** -52;

describe.each(moves)("a move %#", (from, to) => {
  it("ddpm is the posterior of the DDPM paper", () => {
    const beta = 1 - from.alphaBar / to.alphaBar;
    const { a, b, s } = ddpm("fixed_small").coefficients(from, to);
    expect(a).toBeCloseTo((beta * Math.sqrt(to.alphaBar)) / (1 - from.alphaBar), 11);
    expect(b).toBeCloseTo(((1 - to.alphaBar) * Math.sqrt(1 - beta)) / (1 - from.alphaBar), 11);
    expect(Math.abs(s ** 2 / ((beta * (1 - to.alphaBar)) / (1 - from.alphaBar)) - 1)).toBeLessThan(
      tolerance / beta,
    );
    expect(Math.abs(ddpm("fixed_large").coefficients(from, to).s ** 2 / beta - 1)).toBeLessThan(
      tolerance / beta,
    );
  });

  it("ddpm is the ancestral step of VDM", () => {
    const c = -Math.expm1(to.gamma - from.gamma);
    const { a, b, s } = ddpm().coefficients(from, to);
    const alpha = (gamma: number) => Math.sqrt(1 / (1 + Math.exp(gamma)));
    expect(a).toBeCloseTo(c * alpha(to.gamma), 13);
    expect(b).toBeCloseTo(((1 - c) * alpha(to.gamma)) / alpha(from.gamma), 12);
    expect(s).toBeCloseTo(Math.sqrt(c * (1 - alpha(to.gamma) ** 2)), 12);
  });

  it("ddim is its paper's equation for every eta, and ddpm's at eta 1", () => {
    for (const eta of [0, 0.3, 1]) {
      const sigma =
        eta * Math.sqrt((1 - to.alphaBar) / (1 - from.alphaBar)) * Math.sqrt(1 - from.alphaBar / to.alphaBar);
      const direction = Math.sqrt(1 - to.alphaBar - sigma ** 2) / Math.sqrt(1 - from.alphaBar);
      const { a, b, s } = ddim(eta).coefficients(from, to);
      expect(s).toBeCloseTo(sigma, 12);
      expect(b).toBeCloseTo(direction, 11);
      expect(a).toBeCloseTo(Math.sqrt(to.alphaBar) - direction * Math.sqrt(from.alphaBar), 11);
    }
    const implicit = ddim(1).coefficients(from, to);
    const ancestral = ddpm().coefficients(from, to);
    for (const key of ["a", "b", "s"] as const) expect(implicit[key]).toBeCloseTo(ancestral[key], 13);
  });

  it("a score temperature divides the predicted noise, from which x0 follows again", () => {
    const [x, x0, tau, alpha, sigma] = [1.3, -0.4, 0.9, Math.sqrt(from.alphaBar), Math.sqrt(from.sigma2)];
    for (const description of [
      { kind: "ddpm", variance: "fixed_large" },
      { kind: "ddim", eta: 0.3 },
    ] as const) {
      const plain = bindSampler(description).coefficients(from, to);
      const warm = bindSampler({ ...description, score_temperature: tau }).coefficients(from, to);
      const noise = (x - alpha * x0) / sigma / tau;
      const expected = (plain.a * (x - sigma * noise)) / alpha + plain.b * x;
      expect((warm.a * x0 + warm.b * x) / expected).toBeCloseTo(1, 9);
      expect(warm.s).toBe(plain.s);
    }
  });

  it("keeps signal and noise power", () => {
    // x = alpha x0 + sigma e with the true x0 must land on alpha' x0 + sigma' e': a + b alpha = alpha'.
    for (const sampler of [ddpm(), ddim(0), ddim(0.7)]) {
      const { a, b, s } = sampler.coefficients(from, to);
      expect(a + b * Math.sqrt(from.alphaBar)).toBeCloseTo(Math.sqrt(to.alphaBar), 13);
      expect((b ** 2 * from.sigma2 + s ** 2) / to.sigma2).toBeCloseTo(1, 12);
    }
  });

  it("to the clean end is x0, without noise", () => {
    for (const sampler of [ddpm("fixed_small"), ddpm("fixed_large"), ddim(0), ddim(1)])
      expect(sampler.coefficients(from, clean)).toEqual({ a: 1, b: 0, c: 0, s: 0 });
  });
});

describe("the plan", () => {
  const noise_schedule = {
    family: "sqrt",
    discretization: { kind: "ratio_beta", num_train_steps: 2000 },
  } as const;

  it("feeds original indices, scaled", () => {
    const plan = planSampler({
      noise_schedule,
      timesteps: { kind: "spaced", sections: 10 },
      time_conditioning: { input: "t_scaled", scale: 0.5 },
      sampler: { kind: "ddpm" },
    });
    expect(plan.final).toBe("round");
    expect(plan.rows.map((row) => row.index)).toEqual([1999, 1777, 1555, 1333, 1111, 888, 666, 444, 222, 0]);
    expect(plan.rows[0]!.level).toBe(999.5);
    expect(plan.rows[9]).toMatchObject({ step: 9, index: 0, t: 1 / 2000, level: 0, a: 1, b: 0, s: 0 });
  });

  it("refuses grids of the other kind", () => {
    const sampler = { kind: "ddim" } as const;
    expect(() =>
      planSampler({ noise_schedule, timesteps: { kind: "linspace", num_steps: 4 }, sampler }),
    ).toThrow(/timesteps\/needs-continuous/);
    expect(() =>
      planSampler({ noise_schedule: { family: "log_linear" }, timesteps: { kind: "all" }, sampler }),
    ).toThrow(/timesteps\/needs-table/);
    expect(() =>
      planSampler({ noise_schedule, timesteps: { kind: "table", values: [2000, 5] }, sampler }),
    ).toThrow(/timesteps\/outside.*2000/);
    expect(() =>
      planSampler({ noise_schedule, timesteps: { kind: "all" }, sampler: { kind: "ddmp" } }),
    ).toThrow(/sampler\/unknown/);
  });

  it("ends a continuous grid at the clean end when it is to be rounded", () => {
    const plan = planSampler({
      noise_schedule: { family: "log_linear" },
      timesteps: { kind: "linspace", num_steps: 4, to: 0.25 },
      sampler: { kind: "ddim" },
    });
    expect(plan.rows.map((row) => row.t)).toEqual([1, 0.75, 0.5, 0.25]);
    expect(plan.rows[3]).toMatchObject({ a: 1, b: 0 });
    expect(plan.finalRow).toBeUndefined();
  });

  it("leads one trained step below the visited one where it is told to", () => {
    // Betas 0.1, 0.2, 0.3, 0.4: alpha_bar 0.9, 0.72, 0.504, 0.3024. A gap of two visits the fourth and the second.
    const discretization = { kind: "given_beta", num_train_steps: 4 } as const;
    const betas = { family: "linear", beta_start: 0.1, beta_end: 0.4, rescale: false, discretization };
    const of = (next: "grid" | "one_step", kind: "ddim" | "ddpm") =>
      planSampler({
        noise_schedule: betas,
        timesteps: { kind: "gap", num_steps: 2 },
        time_conditioning: { input: "t_index" },
        sampler: { kind, next },
      }).rows;
    const expectDdim = (row: { a: number; b: number; s: number }, from: number, to: number) => {
      const b = Math.sqrt((1 - to) / (1 - from));
      expect(row.b).toBeCloseTo(b, 13);
      expect(row.a).toBeCloseTo(Math.sqrt(to) - b * Math.sqrt(from), 13);
      expect(row.s).toBe(0);
    };
    const [first, last] = of("one_step", "ddim");
    expectDdim(first!, 0.3024, 0.504);
    expectDdim(last!, 0.72, 0.9);
    // The network is told the levels of the grid all the same.
    expect([first!, last!].map(({ level, alphaBar }) => [level, +alphaBar.toFixed(12)])).toEqual([
      [3, 0.3024],
      [1, 0.72],
    ]);
    const [skipped, clean] = of("grid", "ddim");
    expectDdim(skipped!, 0.3024, 0.72);
    expect(clean).toMatchObject({ a: 1, b: 0, s: 0 });
    // The posterior's variance of one trained step, beta 0.4 and then 0.2: beta (1 - alpha_bar') / (1 - alpha_bar).
    const [large, small] = of("one_step", "ddpm");
    expect(large!.s ** 2).toBeCloseTo((0.4 * 0.496) / 0.6976, 13);
    expect(small!.s ** 2).toBeCloseTo((0.2 * 0.1) / 0.28, 13);
  });

  it("of N continuous times leads from t to t - 1/N, below which nothing is noisy", () => {
    // alpha_bar = 1 - t, nearly: times 0.9, 0.5, 0.1 and N = 3 lead to 0.9 - 1/3, 0.5 - 1/3 and the clean end.
    const parts = {
      noise_schedule: { family: "log_linear", eps: 0 },
      timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 3 },
    } as const;
    const { rows } = planSampler({ ...parts, sampler: { kind: "ddim", next: "one_step" } });
    expect(rows).toHaveLength(3);
    [
      [0.9, 17 / 30],
      [0.5, 1 / 6],
    ].forEach(([from, to], i) => {
      const b = Math.sqrt(to! / from!);
      expect(rows[i]!.b).toBeCloseTo(b, 13);
      expect(rows[i]!.a).toBeCloseTo(Math.sqrt(1 - to!) - b * Math.sqrt(1 - from!), 13);
    });
    expect(rows[2]).toMatchObject({ a: 1, b: 0, s: 0 });
    // With more steps N is their number (Plaid's last call is told the last time, whatever noise is left).
    const more = planSampler(
      { ...parts, sampler: { kind: "ddim", next: "one_step", final: "denoise" } },
      { numSteps: 5 },
    );
    expect(more.rows).toHaveLength(4);
    expect(more.rows[3]!.b).toBeCloseTo(Math.sqrt(0.1 / 0.3), 13);
    expect(more.finalRow).toMatchObject({ t: 0.1 });
  });
});
