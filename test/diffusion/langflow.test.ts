import { describe, expect, it } from "vitest";
import { levelFromGamma, priorScale } from "../../src/diffusion/noise-level.js";
import { planSampler, type SamplerParts } from "../../src/diffusion/plan.js";
import { resolveSchedule } from "../../src/diffusion/resolve.js";
import { golden, worstAbsolute, worstRelative } from "./golden.js";

const tensor = golden("langflow-a");
const weight = golden("langflow-a", "weights");
const constants = { loc: weight("proposal.loc")[0]!, scale: weight("proposal.scale")[0]! };
const parts: SamplerParts = {
  noise_schedule: { family: "gumbel_quantile" },
  timesteps: { kind: "quantile", num_steps: 8 },
  time_conditioning: { input: "gamma" },
  prediction_type: { x0_from: "softmax_embedding" },
  sampler: { kind: "ddim", eta: 0 },
};

describe("LangFlow's gamma grid", () => {
  it("is the upstream grid of 33, with alpha, sigma and prior skip", () => {
    const plan = planSampler(parts, { numSteps: 33, constants });
    const points = [...plan.rows, plan.finalRow!];
    // q = 1 - 1e-5 has a rounding error of 2^-54; d gamma / d q = scale / (q -ln q) is 8.5e4 there: 5e-12,
    // and twice that for the two ways to round the grid's points.
    expect(
      worstAbsolute(
        points.map((p) => p.gamma),
        tensor("sched.gamma.f64"),
      ),
    ).toBeLessThan(1e-10);
    // A relative change of alpha or alpha / sigma^2 is at most the absolute change of gamma.
    expect(
      worstRelative(
        points.map((p) => Math.sqrt(p.alphaBar)),
        tensor("sched.alpha.f64"),
      ),
    ).toBeLessThan(1e-10);
    expect(
      worstRelative(
        points.map((p) => Math.sqrt(p.sigma2)),
        tensor("sched.sigma.f64"),
      ),
    ).toBeLessThan(1e-10);
    expect(
      worstRelative(
        points.map((p) => p.priorScale),
        tensor("sched.c_skip.f64"),
      ),
    ).toBeLessThan(1e-10);
  });

  it("of 8 points is walked in 7 updates and one last call", () => {
    const plan = planSampler(parts, { constants });
    expect(plan.final).toBe("denoise");
    expect(plan.rows).toHaveLength(7);
    const gamma = [...plan.rows.map((row) => row.level), plan.finalRow!.level];
    expect(worstAbsolute(gamma, tensor("traj.gamma.f64"))).toBeLessThan(1e-10);
  });

  it("has its published bounds at the initial values", () => {
    const schedule = resolveSchedule({ family: "gumbel_quantile" });
    if (schedule.kind !== "continuous") throw new Error("expected a formula");
    // loc - scale ln(-ln 1e-5) = 4.723 - 0.852 ln(11.5129) and loc - scale ln 1e-5 = 4.723 + 0.852 * 11.5129.
    expect(schedule.at(1e-9).gamma).toBeCloseTo(2.6412, 4);
    expect(schedule.at(1 - 1e-9).gamma).toBeCloseTo(14.532, 3);
  });

  it("asks for constants that only the weights have", () => {
    const noise_schedule = { family: "gumbel_quantile", loc: { from: "proposal.loc" } };
    expect(() => planSampler({ ...parts, noise_schedule })).toThrow(/schedule\/constant-missing.*loc/);
    expect(() => planSampler({ ...parts, noise_schedule }, { constants })).not.toThrow();
  });
});

describe("identities", () => {
  const softplus = (x: number) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);
  const gammas = [14.5, 9, 3.2, 0.1, -0.1, -4, -11];

  it("LangFlow's Euler step is ddim with eta 0", () => {
    const plan = planSampler(parts, { numSteps: 40, constants });
    for (const [i, row] of plan.rows.entries()) {
      const next = plan.rows[i + 1] ?? plan.finalRow!;
      // cur = z exp((sp(g) - sp(g'))/2); z' = end + w (cur - end), end = alpha' x0, w = exp((g' - g)/2).
      const w = Math.exp((next.gamma - row.gamma) / 2);
      const alpha = Math.sqrt(1 / (1 + Math.exp(next.gamma)));
      const b = w * Math.exp((softplus(row.gamma) - softplus(next.gamma)) / 2);
      // 1 - w cancels in this form: absolute error of an ulp of 1, gamma's own rounding on top.
      expect(Math.abs(row.a - alpha * (1 - w))).toBeLessThan(8 * 2 ** -52);
      expect(Math.abs(row.b / b - 1)).toBeLessThan(16 * 2 ** -52);
      expect(row.s).toBe(0);
    }
  });

  it("LangFlow's prior skip exp((softplus(-gamma) - gamma)/2) is alpha / sigma^2", () => {
    for (const gamma of gammas) {
      const skip = Math.exp((softplus(-gamma) - gamma) / 2);
      expect(Math.abs(priorScale(levelFromGamma(gamma)) / skip - 1)).toBeLessThan(16 * 2 ** -52);
    }
  });
});
