// Samplers made of scores (Lou et al. 2024, SEDD, section 4.1 and 4.2), of processes that have them.
//   tau_leaping   onehot(x) + (t - s) (d total noise / dt)(t) R, R the reverse rates from x
//   analytic      staggered scores times transitions over the total noise between t and s

import type { ScoredProcess } from "../token-process.js";
import { analyticWeights, reverseRate } from "../transitions.js";
import type { TokenSampler } from "./sampler.js";

export const tauLeaping: TokenSampler = {
  name: "tau_leaping",
  reads: "scores",
  weights(process, scores, x, row, out) {
    // A plan with another process is refused.
    reverseRate(process as ScoredProcess, scores, x, out);
    const factor = (row.t - row.to.t) * row.rate!;
    for (let y = 0; y < out.length; y++) out[y]! *= factor;
    out[x]! += 1;
    return true;
  },
};

export const analytic: TokenSampler = {
  name: "analytic",
  reads: "scores",
  weights(process, scores, x, row, out) {
    analyticWeights(process as ScoredProcess, scores, x, row.totalNoise - row.to.totalNoise, out);
    return true;
  },
};
