// Ancestral sampling: the posterior q(x_to | x_from, x0) with x0 put in. With r = removedPart:
//   mean = r alpha_to x0 + (1 - r) (alpha_to / alpha_from) x,
//   variance = r sigma_to^2 (fixed_small) or beta = r sigma_from^2 (fixed_large).
// It is the VDM form; the DDPM form beta sqrt(alphaBar_to) / (1 - alphaBar_from) etc. is the same number.
// Sources: Ho et al. 2020, eq. 6-7; Kingma et al. 2021, eq. 33. A move to the clean end adds no noise.

import { type GaussianSampler, removedPart } from "./sampler.js";

/** Which variance the noise of a step has. */
export type PosteriorVariance = "fixed_small" | "fixed_large";

export function ddpm(variance: PosteriorVariance = "fixed_small"): GaussianSampler {
  return {
    name: "ddpm",
    usesHistory: false,
    coefficients(from, to) {
      const removed = removedPart(from, to);
      const kept = Math.exp(to.gamma - from.gamma);
      const noise = removed * (variance === "fixed_small" ? to.sigma2 : from.sigma2);
      return {
        a: removed * Math.sqrt(to.alphaBar),
        b: kept * Math.sqrt(to.alphaBar / from.alphaBar),
        c: 0,
        s: to.sigma2 === 0 ? 0 : Math.sqrt(noise),
      };
    },
  };
}
