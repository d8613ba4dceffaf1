// Linear in beta in two pieces: linspace(r beta_start + lift, r beta_start, n), then
// linspace(r beta_start, r beta_end, T - n), n = lifted_steps; with `rescale`, r = 1000 / T.
// Source: Diffusion-LM, gaussian_diffusion.py, pw_lin.

import { linspace, type ScheduleFamily } from "./family.js";

export const piecewiseLinear: ScheduleFamily<{
  readonly beta_start: number;
  readonly beta_end: number;
  readonly lift: number;
  readonly lifted_steps: number;
  readonly rescale: boolean;
}> = {
  defaults: { beta_start: 1e-4, beta_end: 0.02, lift: 0.01, lifted_steps: 10, rescale: true },
  bind: ({ beta_start, beta_end, lift, lifted_steps, rescale }) => ({
    kind: "betas",
    betas(steps) {
      const ratio = rescale ? 1000 / steps : 1;
      const knee = ratio * beta_start;
      const lifted = Math.min(lifted_steps, steps);
      const betas = new Float64Array(steps);
      betas.set(linspace(knee + lift, knee, lifted));
      betas.set(linspace(knee, ratio * beta_end, steps - lifted), lifted);
      return betas;
    },
  }),
};
