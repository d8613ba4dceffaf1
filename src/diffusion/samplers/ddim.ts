// DDIM (Song et al. 2021, "Denoising Diffusion Implicit Models", eq. 12 and 16): with e = (x - alpha x0) / sigma,
//   x_next = alpha_to x0 + sqrt(sigma_to^2 - s^2) e + s noise,   s = eta sigma_to sqrt(r),  r = removedPart,
// hence, with w = (sigma_to alpha_from) / (sigma_from alpha_to) sqrt(1 - eta^2 r)
//                = exp((gamma_to - gamma_from) / 2 + log1p(-eta^2 r) / 2),
//   a = alpha_to (1 - w),  b = w alpha_to / alpha_from.
// 1 - w is taken by expm1, since w is near 1 for short steps. eta = 0 is deterministic (and is LangFlow's
// Euler step); eta = 1 has the noise of ddpm's fixed_small.

import { type GaussianSampler, removedPart } from "./sampler.js";

export function ddim(eta = 0): GaussianSampler {
  return {
    name: "ddim",
    usesHistory: false,
    coefficients(from, to) {
      const removed = removedPart(from, to);
      const alphaTo = Math.sqrt(to.alphaBar);
      if (to.sigma2 === 0) return { a: alphaTo, b: 0, c: 0, s: 0 };
      const logWeight = (to.gamma - from.gamma + Math.log1p(-eta * eta * removed)) / 2;
      return {
        a: -alphaTo * Math.expm1(logWeight),
        b: Math.exp(logWeight) * Math.sqrt(to.alphaBar / from.alphaBar),
        c: 0,
        s: eta * Math.sqrt(to.sigma2 * removed),
      };
    },
  };
}
