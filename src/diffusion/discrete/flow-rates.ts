// The two rates of a step of discrete flow matching, which a plan holds: with kappa = alpha_bar, dk its rise per time and the
// corrector's c = scale kappa^i (1 - kappa)^j,
//   forth   A = (1 + c) dk / (1 - kappa)   to the clean token
//   back    B = c dk / kappa               to noise,
// both times the length of the step. Whatever c is, they lead through the same laws (Gat et al. 2024, theorem 3); scale =
// eta, i = 1, j = 0 is the stochasticity of Campbell et al. 2024.

import type { NoiseLevel } from "../noise-level.js";
import type { CorrectorDescription } from "./sampler-description.js";

/** What a step of a flow does, over its whole length. */
export interface FlowRates {
  readonly forth: number;
  readonly back: number;
}

/** The rates of a step of `length` at a level whose alpha_bar changes by `slope` per time. */
export function flowRates(
  { alphaBar, sigma2 }: NoiseLevel,
  slope: number,
  length: number,
  { scale = 0, signal_power: i = 1, noise_power: j = 0 }: CorrectorDescription = {},
): FlowRates {
  const risen = -slope * length;
  const c = scale * alphaBar ** i * sigma2 ** j;
  // Where nothing is clean, nothing goes back.
  return { forth: ((1 + c) * risen) / sigma2, back: alphaBar > 0 ? (c * risen) / alphaBar : 0 };
}
