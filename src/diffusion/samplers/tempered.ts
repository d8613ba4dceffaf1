// A temperature on the predicted noise (Plaid's score_temp): e' = e / tau with e = (x - alpha x0) / sigma, and x0 anew from
// it, x0' = (x - sigma e') / alpha = x0 / tau + (1 - 1 / tau) x / alpha. Below 1 it moves further from the noise, and the
// texts are less diverse. An update a x0' + b x is again one of x0 and x.

import type { GaussianSampler, StepCoefficients } from "./sampler.js";

/** The sampler with predicted noise divided by `tau`. Levels without signal have no x0'. */
export function tempered(sampler: GaussianSampler, tau: number): GaussianSampler {
  return {
    ...sampler,
    coefficients(from, to, before): StepCoefficients {
      const { a, b, c, s } = sampler.coefficients(from, to, before);
      return { a: a / tau, b: b + (a * (1 - 1 / tau)) / Math.sqrt(from.alphaBar), c, s };
    },
  };
}
