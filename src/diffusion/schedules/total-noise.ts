// Schedules of discrete processes, where alpha_bar is the chance that a token is still there. They are given by the
// total noise s(t) = -ln alpha_bar(t) or by the move chance m(t) = 1 - alpha_bar(t); `rate` is ds/dt, which tau-leaping
// needs.
//   geometric      s = s0^(1-t) s1^t                                     (Lou et al. 2024, SEDD)
//   linear_noise   s = s0 + t (s1 - s0)                                  (MDLM)
//   power          m = max(t^p, floor)                                   (BD3-LM: loglinear, square, square_root)
//   logarithmic    m = log2(1 + t)                                       (BD3-LM: log)
//   sine           m = sin((1 - eps) pi t/2)                             (Duo: cosine)
//   cosine_power   alpha_bar = eps + (1 - eps) c, or (1 - eps) c, c = cos^p(pi t/2)    (MDLM; BD3-LM)

import { levelFromPowers, levelFromTotalNoise } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

export const geometric: ScheduleFamily<{ readonly sigma_min: number; readonly sigma_max: number }> = {
  defaults: { sigma_min: 1e-4, sigma_max: 20 },
  bind: ({ sigma_min: least, sigma_max: most }) => {
    const total = (t: number): number => least ** (1 - t) * most ** t;
    return {
      kind: "formula",
      at: (t) => levelFromTotalNoise(total(t)),
      rate: (t) => total(t) * Math.log(most / least),
    };
  },
};

export const linearNoise: ScheduleFamily<{ readonly sigma_min: number; readonly sigma_max: number }> = {
  defaults: { sigma_min: 0, sigma_max: 10 },
  bind: ({ sigma_min: least, sigma_max: most }) => ({
    kind: "formula",
    at: (t) => levelFromTotalNoise(least + t * (most - least)),
    rate: () => most - least,
  }),
};

export const power: ScheduleFamily<{ readonly exponent: number; readonly floor: number }> = {
  defaults: { exponent: 1, floor: 0 },
  bind: ({ exponent, floor }) => ({
    kind: "formula",
    at(t) {
      const moved = Math.max(t ** exponent, floor);
      return levelFromPowers(1 - moved, moved);
    },
    // At the floor the noise stands still.
    rate: (t) => (t ** exponent <= floor ? 0 : (exponent * t ** (exponent - 1)) / (1 - t ** exponent)),
    slope: (t) => (t ** exponent <= floor ? 0 : -exponent * t ** (exponent - 1)),
  }),
};

export const logarithmic: ScheduleFamily<Record<never, never>> = {
  defaults: {},
  bind: () => ({
    kind: "formula",
    at: (t) => levelFromPowers(Math.log2(2 / (1 + t)), Math.log1p(t) / Math.LN2),
    rate: (t) => 1 / ((1 + t) * Math.LN2 * Math.log2(2 / (1 + t))),
    slope: (t) => -1 / ((1 + t) * Math.LN2),
  }),
};

export const sine: ScheduleFamily<{ readonly eps: number }> = {
  defaults: { eps: 1e-3 },
  bind: ({ eps }) => {
    const speed = ((1 - eps) * Math.PI) / 2;
    // 1 - sin a = 2 sin^2((pi/2 - a) / 2): exact where little signal is left.
    const signal = (t: number): number => 2 * Math.sin((Math.PI / 2 - speed * t) / 2) ** 2;
    return {
      kind: "formula",
      at: (t) => levelFromPowers(signal(t), Math.sin(speed * t)),
      rate: (t) => (speed * Math.cos(speed * t)) / signal(t),
    };
  },
};

export const cosinePower: ScheduleFamily<{
  readonly power: number;
  readonly eps: number;
  readonly eps_at: string;
}> = {
  defaults: { power: 1, eps: 1e-3, eps_at: "noisy" },
  bind: ({ power: p, eps, eps_at: end }) => {
    const kept = end === "noisy" ? eps : 0;
    const angle = (t: number): number => (Math.PI * t) / 2;
    // 1 - cos^p: exact near t = 0 for the powers in use, by 1 - cos x = 2 sin^2(x/2) and 1 - cos^2 = sin^2.
    const lost = (t: number): number => {
      if (p === 1) return 2 * Math.sin(angle(t) / 2) ** 2;
      return p === 2 ? Math.sin(angle(t)) ** 2 : 1 - Math.cos(angle(t)) ** p;
    };
    const signal = (t: number): number => kept + (1 - eps) * Math.cos(angle(t)) ** p;
    return {
      kind: "formula",
      at: (t) => levelFromPowers(signal(t), (1 - eps) * lost(t) + (end === "noisy" ? 0 : eps)),
      rate: (t) =>
        ((1 - eps) * p * Math.cos(angle(t)) ** (p - 1) * Math.sin(angle(t)) * (Math.PI / 2)) / signal(t),
    };
  },
};
