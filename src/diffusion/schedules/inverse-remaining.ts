// beta_t = 1 / (T - t + 1), t = 1 .. T: alpha_bar_t = (T - t) / T, so information is lost evenly.
// Source: Sohl-Dickstein et al. 2015; "jsd" of Austin et al. 2021, "Structured Denoising Diffusion Models in Discrete
// State-Spaces" (D3PM).

import type { ScheduleFamily } from "./family.js";

export const inverseRemaining: ScheduleFamily<Record<never, never>> = {
  defaults: {},
  bind: () => ({
    kind: "betas",
    betas: (steps) => Float64Array.from({ length: steps }, (_, i) => 1 / (steps - i)),
  }),
};
