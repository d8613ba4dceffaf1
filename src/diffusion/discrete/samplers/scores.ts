// Samplers made of scores (Lou et al. 2024, SEDD, section 4.1 and 4.2).
//   tau_leaping   onehot(x) + (t - s) (d total noise / dt)(t) R, R the reverse rates from x
//   analytic      staggered scores times transitions over the total noise between t and s

import { fail } from "../../../support/diagnostic.js";
import { hasScores, type ScoredProcess, type TokenProcess } from "../token-process.js";
import { analyticWeights, reverseRate } from "../transitions.js";
import type { TokenSampler } from "./sampler.js";

export const tauLeaping: TokenSampler = {
  name: "tau_leaping",
  reads: "scores",
  /** Throws `sampler/no-rate` on a schedule without d(total noise)/dt. */
  weights(process, scores, x, row, out) {
    if (Number.isNaN(row.rate))
      fail(
        "sampler/no-rate",
        "tau_leaping needs d(total noise)/dt, which this noise schedule does not have",
        {
          pointer: "/noise_schedule",
          help: "use log_linear or geometric, or the sampler analytic",
        },
      );
    reverseRate(scored(process), scores, x, out);
    const factor = (row.t - row.to.t) * row.rate;
    for (let y = 0; y < out.length; y++) out[y]! *= factor;
    out[x]! += 1;
    return true;
  },
};

export const analytic: TokenSampler = {
  name: "analytic",
  reads: "scores",
  weights(process, scores, x, row, out) {
    analyticWeights(scored(process), scores, x, row.totalNoise - row.to.totalNoise, out);
    return true;
  },
};

function scored(process: TokenProcess): ScoredProcess {
  return hasScores(process)
    ? process
    : fail("sampler/no-scores", `${process.kind} noise has no rates in closed form`, {
        pointer: "/sampler/kind",
        help: 'use the sampler "ancestral"',
      });
}
