// Euler's method on the probability flow of y = x / alpha against r = sigma / alpha: dy/dr = (y - x0) / r, so
//   y_to = y + (r_to - r) (y - x0) / r,   x_to = alpha_to y_to,
// hence a = alpha_to (1 - r_to / r), b = (alpha_to / alpha) r_to / r. Sources: Karras et al. 2022, algorithm 1 without
// its second call; Dieleman et al. 2022 (CDCD). It is ddim with eta 0 in other words.

import type { GaussianSampler } from "./sampler.js";

export const euler: GaussianSampler = {
  name: "euler",
  usesHistory: false,
  coefficients(from, to) {
    const alpha = Math.sqrt(to.alphaBar);
    const left = Math.exp((to.gamma - from.gamma) / 2);
    return {
      a: -alpha * Math.expm1((to.gamma - from.gamma) / 2),
      b: left * Math.sqrt(to.alphaBar / from.alphaBar),
      c: 0,
      s: 0,
    };
  },
};

/** Nothing of x is kept: x_to = alpha_to x0 + sigma_to noise (TESS's scheduler). */
export const renoise: GaussianSampler = {
  name: "renoise",
  usesHistory: false,
  coefficients: (_, to) => ({ a: Math.sqrt(to.alphaBar), b: 0, c: 0, s: Math.sqrt(to.sigma2) }),
};
