// Heun's method on the probability flow of y = x / alpha against r = sigma / alpha (Karras et al. 2022, algorithm 1). The
// first call of a step is Euler's. At its end y', where the network gives x0', the slope along the straight line was
// (y' - x0) / r_to, so the mean of both slopes moves y' by
//   (r_to - r) / 2 ((y' - x0') - (y' - x0)) / r_to = w (x0 - x0'),   w = (1 - r / r_to) / 2,
// an affine update with history like any other: a = -alpha_to w, b = 1, c = alpha_to w.

import { euler } from "./euler.js";
import type { GaussianSampler } from "./sampler.js";

export const heun: GaussianSampler = {
  ...euler,
  name: "heun",
  usesHistory: true,
  correction(from, to) {
    const shift = (-Math.sqrt(to.alphaBar) * Math.expm1((from.gamma - to.gamma) / 2)) / 2;
    return { a: -shift, b: 1, c: shift, s: 0 };
  },
};
