// Schedules of discrete flow matching (Gat et al. 2024, section 3): the share kappa of tokens that come from the data, as a
// function of the flow's time s = 1 - t; kappa is alpha_bar.
//   polynomial   kappa = s^n
//   cubic        kappa = -2 s^3 + 3 s^2 + a (s^3 - 2 s^2 + s) + b (s^3 - s^2), a and b its slopes at noise and data

import { levelFromPowers } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

export const polynomial: ScheduleFamily<{ readonly exponent: number }> = {
  defaults: { exponent: 1 },
  bind: ({ exponent: n }) => ({
    kind: "formula",
    // 1 - (1 - t)^n without the subtraction.
    at: (t) => levelFromPowers((1 - t) ** n, -Math.expm1(n * Math.log1p(-t))),
    rate: (t) => n / (1 - t),
    slope: (t) => -n * (1 - t) ** (n - 1),
  }),
};

export const cubic: ScheduleFamily<{ readonly a: number; readonly b: number }> = {
  defaults: { a: 0, b: 0 },
  bind({ a, b }) {
    // With s + t = 1: kappa = s^2 (3 - 2 s) + a s t^2 - b s^2 t and 1 - kappa = t^2 (3 - 2 t) - a s t^2 + b s^2 t.
    const kappa = (s: number, t: number): number => s * s * (3 - 2 * s) + a * s * t * t - b * s * s * t;
    const rise = (s: number): number => 6 * s * (1 - s) + a * (1 - s) * (1 - 3 * s) + b * s * (3 * s - 2);
    return {
      kind: "formula",
      at(t) {
        const s = 1 - t;
        return levelFromPowers(kappa(s, t), t * t * (3 - 2 * t) - a * s * t * t + b * s * s * t);
      },
      rate: (t) => rise(1 - t) / kappa(1 - t, t),
      slope: (t) => -rise(1 - t),
    };
  },
};
