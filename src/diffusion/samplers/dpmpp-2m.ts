// DPM-Solver++ of second order, multistep (Lu et al. 2022, "DPM-Solver++", algorithm 2). With l = ln(alpha / sigma) =
// -gamma / 2, h = l_to - l_from and q = h_before / h:
//   x_to = (sigma_to / sigma_from) x - alpha_to expm1(-h) D,   D = (1 + 1/(2q)) x0 - 1/(2q) x0_prev.
// Without a step before it, and where the step goes to the clean end (h is infinite), D = x0.

import type { GaussianSampler } from "./sampler.js";

export const dpmpp2m: GaussianSampler = {
  name: "dpmpp_2m",
  usesHistory: true,
  coefficients(from, to, before) {
    const alpha = Math.sqrt(to.alphaBar);
    if (to.sigma2 === 0) return { a: alpha, b: 0, c: 0, s: 0 };
    const h = (from.gamma - to.gamma) / 2;
    const weight = -alpha * Math.expm1(-h);
    const extra = before === undefined ? 0 : (h / (before.gamma - from.gamma)) * weight;
    return { a: weight + extra, b: Math.sqrt(to.sigma2 / from.sigma2), c: extra === 0 ? 0 : -extra, s: 0 };
  },
};
