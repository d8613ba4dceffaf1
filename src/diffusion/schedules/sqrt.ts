// Square root: alpha_bar(t) = 1 - sqrt(t + s), s = 1e-4: noise power rises steeply at the clean end,
// where rounding a slightly noisy word embedding is easy.
// Source: Li et al. 2022, "Diffusion-LM Improves Controllable Text Generation", section 4.2 and appendix A.
// At t = 1 the formula is below 0 (-5e-5); the ratio-beta discretisation clips it.

import { levelFromPowers } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

export const sqrt: ScheduleFamily<{ readonly offset: number }> = {
  defaults: { offset: 1e-4 },
  bind: ({ offset }) => ({
    kind: "formula",
    at(t) {
      const sigma2 = Math.sqrt(t + offset);
      return levelFromPowers(1 - sigma2, sigma2);
    },
  }),
};
