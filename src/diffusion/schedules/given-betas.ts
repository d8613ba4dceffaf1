// Schedules that list betas between two ends in other spacings than the linear one (TESS's scheduler):
//   scaled_linear   linspace(sqrt(b0), sqrt(b1), T)^2                       (Rombach et al. 2022)
//   sigmoid_beta    sigmoid(linspace(-6, 6, T)) (b1 - b0) + b0

import { sigmoid } from "../noise-level.js";
import { linspace, type ScheduleFamily } from "./family.js";

type Ends = { readonly beta_start: number; readonly beta_end: number };
const defaults = { beta_start: 1e-4, beta_end: 0.02 };

export const scaledLinear: ScheduleFamily<Ends> = {
  defaults,
  bind: ({ beta_start, beta_end }) => ({
    kind: "betas",
    betas: (steps) => linspace(Math.sqrt(beta_start), Math.sqrt(beta_end), steps).map((root) => root * root),
  }),
};

export const sigmoidBeta: ScheduleFamily<Ends> = {
  defaults,
  bind: ({ beta_start, beta_end }) => ({
    kind: "betas",
    betas: (steps) => linspace(-6, 6, steps).map((u) => sigmoid(u) * (beta_end - beta_start) + beta_start),
  }),
};
