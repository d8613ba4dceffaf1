// Schedules of continuous diffusion by formula.
//   vp_linear         alpha_bar = exp(-floor - b0 t - (b1 - b0) t^2 / 2)    (Song et al. 2021; Difformer, LD4LG)
//   cosine_rescaled   v(u) = cos(pi u / 2)^(2 tau)                          (Chen 2023; LD4LG)
//   sigmoid           v(u) = sigmoid(u / tau)                               (Jabri et al. 2023; LD4LG)
//                     both alpha_bar = (v(e) - v(u)) / (v(e) - v(s)), u = s + t (e - s), clipped
//   karras            s = (s0^(1/rho) + t (s1^(1/rho) - s0^(1/rho)))^rho, alpha_bar = 1 / (1 + s^2)   (Karras et al. 2022)

import { levelFromGamma, levelFromPowers, sigmoid as logistic, type NoiseLevel } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

export const vpLinear: ScheduleFamily<{
  readonly beta_min: number;
  readonly beta_max: number;
  readonly floor: number;
}> = {
  defaults: { beta_min: 0.1, beta_max: 20, floor: 0 },
  bind: ({ beta_min: least, beta_max: most, floor }) => ({
    kind: "formula",
    at(t) {
      const total = floor + least * t + ((most - least) * t * t) / 2;
      return levelFromPowers(Math.exp(-total), -Math.expm1(-total));
    },
  }),
};

type Range = {
  readonly start: number;
  readonly end: number;
  readonly tau: number;
  readonly clip: number;
};

/** The part of the way from v(start) to v(end) that is left, clipped on both sides. */
function rescaled({ start, end, clip }: Range, v: (u: number) => number): (t: number) => NoiseLevel {
  const whole = v(end) - v(start);
  return (t) => {
    const u = start + t * (end - start);
    const inside = (part: number): number => Math.min(1 - clip, Math.max(clip, part));
    return levelFromPowers(inside((v(end) - v(u)) / whole), inside((v(u) - v(start)) / whole));
  };
}

export const cosineRescaled: ScheduleFamily<Range> = {
  defaults: { start: 0, end: 1, tau: 1, clip: 1e-9 },
  bind: (range) => ({
    kind: "formula",
    at: rescaled(range, (u) => Math.cos((Math.PI * u) / 2) ** (2 * range.tau)),
  }),
};

export const sigmoid: ScheduleFamily<Range> = {
  defaults: { start: -3, end: 3, tau: 1, clip: 1e-9 },
  bind: (range) => ({ kind: "formula", at: rescaled(range, (u) => logistic(u / range.tau)) }),
};

export const karras: ScheduleFamily<{
  readonly sigma_min: number;
  readonly sigma_max: number;
  readonly rho: number;
}> = {
  defaults: { sigma_min: 0.002, sigma_max: 80, rho: 7 },
  bind: ({ sigma_min: least, sigma_max: most, rho }) => {
    const [low, high] = [least ** (1 / rho), most ** (1 / rho)];
    return { kind: "formula", at: (t) => levelFromGamma(2 * rho * Math.log(low + t * (high - low))) };
  },
};
