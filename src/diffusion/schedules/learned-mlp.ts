// A learned monotone schedule (Kingma et al. 2021, "Variational Diffusion Models", appendix H; Plaid, lib/models.py):
//   g(t) = sum_k softplus(w2_k) tanh((t - 1/2) softplus(w1_k) + b1_k),
//   gamma(t) = gamma_min + (gamma_max - gamma_min) (g(t) - g(0)) / (g(1) - g(0)).
// Positive weights make g rise whatever the tensors hold; a factor of w2, such as Plaid's 0.01, cancels.

import { levelFromGamma } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const learnedMlp: ScheduleFamily<{
  readonly gamma_min: number;
  readonly gamma_max: number;
  readonly w1: readonly number[];
  readonly b1: readonly number[];
  readonly w2: readonly number[];
}> = {
  defaults: { gamma_min: -3, gamma_max: 6, w1: [0], b1: [0], w2: [0] },
  bind({ gamma_min: low, gamma_max: high, w1, b1, w2 }) {
    const units = w1.map((w, k) => [softplus(w), b1[k]!, softplus(w2[k]!)] as const);
    const g = (t: number): number =>
      units.reduce((sum, [w, b, v]) => sum + v * Math.tanh((t - 0.5) * w + b), 0);
    const [first, last] = [g(0), g(1)];
    return {
      kind: "formula",
      at: (t) => levelFromGamma(low + ((high - low) * (g(t) - first)) / (last - first)),
    };
  },
};
