import { describe, expect, it } from "vitest";
import {
  type DiscreteSchedule,
  levelAt,
  respacedBetas,
  tableFromBetas,
} from "../../src/diffusion/discretize.js";
import { clean } from "../../src/diffusion/noise-level.js";
import { resolveSchedule } from "../../src/diffusion/resolve.js";
import { ddpm } from "../../src/diffusion/samplers/ddpm.js";
import { ddimStrideIndices, roundHalfEven, spacedIndices } from "../../src/diffusion/timesteps.js";
import { golden, worstAbsolute, worstRelative } from "./golden.js";

const tensor = golden("dlm-schedule-a");
const families = ["sqrt", "cosine", "linear"] as const;
const steps = 2000;
const epsilon = 2 ** -52;

function table(family: string): DiscreteSchedule {
  const kind = family === "linear" ? "given_beta" : "ratio_beta";
  const schedule = resolveSchedule({ family, discretization: { kind, num_train_steps: steps } });
  if (schedule.kind !== "discrete") throw new Error("expected a table");
  return schedule;
}

const spacings: Record<string, Int32Array> = {
  "200": spacedIndices(steps, [200]),
  "50": spacedIndices(steps, [50]),
  ddim10: ddimStrideIndices(steps, 10),
  "10_15_25": spacedIndices(steps, [10, 15, 25]),
  "7_3": spacedIndices(steps, [7, 3]),
};

describe.each(families)("the %s table of 2000 steps", (family) => {
  const ours = table(family);

  it("has the upstream betas and alpha_bar", () => {
    // A beta is one minus a ratio near one: each side's ratio is off by a few ulp of 1.
    expect(worstAbsolute(ours.betas, tensor(`${family}.betas`))).toBeLessThan(8 * epsilon);
    // alpha_bar accumulates those over 2000 factors; the errors are independent, sqrt(2000) ulp is 1e-14.
    expect(worstRelative(ours.alphaBar, tensor(`${family}.alphas_cumprod`))).toBeLessThan(1e-12);
  });

  it("has the upstream posterior", () => {
    const at = Array.from(tensor("table_index"));
    const row = (i: number, variance: "fixed_small" | "fixed_large") =>
      ddpm(variance).coefficients(levelAt(ours, i), i === 0 ? clean : levelAt(ours, i - 1));
    // Upstream forms 1 - alpha_bar by subtraction: relative error epsilon / (1 - alpha_bar), at most
    // epsilon / 5e-5 = 5e-12 at index 0 of cosine and linear, and below 1e-12 for sqrt (1 - alpha_bar > 0.014).
    const tolerance = (i: number) => 1e-12 + (4 * epsilon) / ours.sigma2[Math.max(0, i - 1)]!;
    // A logarithm's absolute error is the relative error of its argument: `floor` 1 there.
    const compare = (name: string, value: (i: number) => number, floor = 0) => {
      const theirs = tensor(`${family}.${name}_at`);
      for (const [k, i] of at.entries())
        expect(Math.abs(value(i) - theirs[k]!), `${name} at ${i}`).toBeLessThanOrEqual(
          tolerance(i) * Math.max(floor, Math.abs(theirs[k]!)),
        );
    };
    compare("posterior_mean_coef1", (i) => row(i, "fixed_small").a);
    compare("posterior_mean_coef2", (i) => row(i, "fixed_small").b);
    compare("posterior_variance", (i) => row(i, "fixed_small").s ** 2);
    compare("posterior_log_variance_clipped", (i) => 2 * Math.log(row(Math.max(i, 1), "fixed_small").s), 1);
    compare("sqrt_recip_alphas_cumprod", (i) => Math.sqrt(1 / ours.alphaBar[i]!));
    compare("sqrt_recipm1_alphas_cumprod", (i) => Math.exp(levelAt(ours, i).gamma / 2));
    for (const i of [1, 2, 1000, 1999]) {
      const large = row(i, "fixed_large").s ** 2;
      expect(Math.abs(large / ours.betas[i]! - 1)).toBeLessThan(1e-12 + (4 * epsilon) / ours.betas[i]!);
    }
  });

  it.each(Object.keys(spacings))("has the upstream betas and variances after respacing %s", (name) => {
    const indices = spacings[name]!;
    const betas = respacedBetas(ours, indices);
    expect(worstAbsolute(betas, tensor(`${family}.respaced_${name}.betas`))).toBeLessThan(1e-13);
    const rebuilt = tableFromBetas(betas);
    expect(worstRelative(rebuilt.alphaBar, tensor(`${family}.respaced_${name}.alphas_cumprod`))).toBeLessThan(
      1e-12,
    );
    const logVariance = tensor(`${family}.respaced_${name}.posterior_log_variance_clipped`);
    for (let k = 1; k < indices.length; k++) {
      const from = levelAt(ours, indices[k]!);
      const to = levelAt(ours, indices[k - 1]!);
      const ours2 = 2 * Math.log(ddpm().coefficients(from, to).s);
      expect(Math.abs(ours2 - logVariance[k]!)).toBeLessThan(1e-12 + (8 * epsilon) / to.sigma2);
    }
  });
});

describe("respacing", () => {
  it.each(Object.entries(spacings))("visits the upstream steps: %s", (name, indices) => {
    expect(Array.from(indices)).toEqual(Array.from(tensor(`respaced_${name}.timestep_map`)));
  });

  it("rounds halves to even", () => {
    expect([0.5, 1.5, 2.5, 2.4999, 2.5001, 3].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3, 3]);
    // Sections of 6 steps with 5 picks have stride 1.25: 0, 1.25, 2.5, 3.75, 5; 2.5 goes down to 2.
    expect(Array.from(spacedIndices(6, [5]))).toEqual([0, 1, 2, 4, 5]);
  });

  it("gives the remainder of unequal sections to the first ones", () => {
    // 11 steps in 3 sections: 4, 4, 3.
    expect(Array.from(spacedIndices(11, [2, 2, 2]))).toEqual([0, 3, 4, 7, 8, 10]);
  });

  it("refuses more steps than a section has, and a stride that does not exist", () => {
    expect(() => spacedIndices(10, [3, 6])).toThrow(/timesteps\/too-many.*6 of its 5/);
    expect(() => ddimStrideIndices(10, 6)).toThrow(/timesteps\/no-stride/);
  });
});

describe("discretisations", () => {
  it("ratio_beta gives f((i+1)/T) / f(0), left_edge f(i/T) / f(0)", () => {
    const f = (t: number) => 1 - Math.sqrt(t + 1e-4);
    const right = resolveSchedule({
      family: "sqrt",
      discretization: { kind: "ratio_beta", num_train_steps: 10 },
    }) as DiscreteSchedule;
    const left = resolveSchedule({
      family: "sqrt",
      discretization: { kind: "left_edge", num_train_steps: 10 },
    }) as DiscreteSchedule;
    expect(right.alphaBar[3]).toBeCloseTo(f(0.4) / f(0), 14);
    expect(left.alphaBar[3]).toBeCloseTo(f(0.3) / f(0), 14);
    // f(1) is below zero, so the last ratio is too: only the greatest beta keeps alpha_bar positive.
    expect(right.betas[9]).toBe(0.999);
  });

  it("says so when family and discretisation do not fit", () => {
    expect(() => resolveSchedule({ family: "sqrt", discretization: { kind: "given_beta" } })).toThrow(
      /schedule\/discretization.*lists betas/,
    );
    expect(() => resolveSchedule({ family: "linear", discretization: { kind: "continuous" } })).toThrow(
      /given_beta, not continuous/,
    );
    expect(() => resolveSchedule({ family: "sqr" })).toThrow(/schedule\/unknown-family/);
  });

  it("moves the log SNR after clipping it", () => {
    const plain = resolveSchedule({ family: "log_linear" });
    const moved = resolveSchedule({
      family: "log_linear",
      log_snr_shift: -2 * Math.log(4),
      log_snr_clip: [-3, 3],
    });
    if (plain.kind !== "continuous" || moved.kind !== "continuous") throw new Error("expected formulas");
    // Difformer's noise factor F = 4: alpha_bar / (F^2 - (F^2 - 1) alpha_bar).
    const alphaBar = plain.at(0.3).alphaBar;
    expect(moved.at(0.3).alphaBar).toBeCloseTo(alphaBar / (16 - 15 * alphaBar), 14);
    expect(-moved.at(1e-9).gamma).toBeCloseTo(3 - 2 * Math.log(4), 14);
  });
});
