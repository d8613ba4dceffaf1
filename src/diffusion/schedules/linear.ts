// Linear in beta: beta = linspace(r beta_start + offset, r beta_end + offset, T); with `rescale`, r = 1000 / T, so
// that the whole amount of noise does not depend on the number of steps.
// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", section 4 (T = 1000); the rescaling is
// improved-diffusion's; an offset of 0.01 is Diffusion-LM's trunc_lin.

import { linspace, type ScheduleFamily } from "./family.js";

export const linear: ScheduleFamily<{
  readonly beta_start: number;
  readonly beta_end: number;
  readonly rescale: boolean;
  readonly offset: number;
}> = {
  defaults: { beta_start: 1e-4, beta_end: 0.02, rescale: true, offset: 0 },
  bind: ({ beta_start, beta_end, rescale, offset }) => ({
    kind: "betas",
    betas(steps) {
      const ratio = rescale ? 1000 / steps : 1;
      return linspace(ratio * beta_start + offset, ratio * beta_end + offset, steps);
    },
  }),
};
