// Log-linear: total noise -log1p(-(1 - eps) t), that is, the part of the signal that is lost grows
// linearly, alpha_bar(t) = 1 - (1 - eps) t, eps = 1e-3. For discrete processes the same number is the
// chance that a token is still unmasked.
// Source: Lou et al. 2024, "Discrete Diffusion Modeling by Estimating the Ratios of the Data Distribution"
// (SEDD), section 5; Sahoo et al. 2024, "Simple and Effective Masked Diffusion Language Models" (MDLM).

import { levelFromPowers } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

export const logLinear: ScheduleFamily<{ readonly eps: number }> = {
  defaults: { eps: 1e-3 },
  bind: ({ eps }) => ({
    kind: "formula",
    at(t) {
      const lost = (1 - eps) * t;
      return levelFromPowers(1 - lost, lost);
    },
    rate: (t) => (1 - eps) / (1 - (1 - eps) * t),
  }),
};
