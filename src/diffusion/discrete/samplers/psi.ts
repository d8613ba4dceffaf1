// Predictor-corrector sampling by superposed posteriors (Duo's psi-samplers; with an absorbing state ReMDM, Wang et al.
// 2025): with chance kappa the ancestral step, else the clean token is drawn and noised again to the time of the step,
//   w = kappa q(x_s | x_t, x_0) + (1 - kappa) q(x_s | x_0),   averaged over the predicted p(x_0 | x_t).
// Placed tokens of an absorbing state may thus be masked again. kappa of a step is the plan's (../kappa.ts).

import { noised } from "../noising.js";
import { ancestral } from "./ancestral.js";
import type { TokenSampler } from "./sampler.js";

/** The clean token itself, of a position that moves. */
export const cleanTokens: TokenSampler = {
  name: "clean",
  reads: "probabilities",
  weights(_, p, _x, _row, out) {
    out.set(p);
    return true;
  },
};

/** `step` and `clean` draw x_s and x_0: guided ones, where the step is guided. */
export function psi(step: TokenSampler = ancestral(), clean: TokenSampler = cleanTokens): TokenSampler {
  return {
    name: "psi",
    reads: "probabilities",
    weights(process, p, x, row, out) {
      const { kappa: k = 1 } = row;
      const moves = step.weights(process, p, x, row, out);
      if (!moves) out.fill(0)[x] = 1;
      // What stands is its own clean token where it does not move.
      const x0 = out.slice();
      if (moves) clean.weights(process, p, x, row, x0);
      const [ofStep, ofClean] = [out, x0].map((weights) => weights.reduce((sum, w) => sum + w, 0));
      for (let v = 0; v < out.length; v++) x0[v]! /= ofClean!;
      const again = noised(process, row.to, x0, new Float64Array(out.length));
      for (let v = 0; v < out.length; v++) out[v] = (k * out[v]!) / ofStep! + (1 - k) * again[v]!;
      return moves || k < 1;
    },
  };
}
