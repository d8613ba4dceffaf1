// Predictor-corrector sampling by superposed posteriors (Duo's psi-samplers; with an absorbing state ReMDM, Wang et al.
// 2025): with chance kappa the ancestral step, else the clean token is drawn and noised again to the time of the step,
//   w = kappa q(x_s | x_t, x_0) + (1 - kappa) q(x_s | x_0),   averaged over the predicted p(x_0 | x_t).
// Placed tokens of an absorbing state may thus be masked again. kappa of a step, a the signal alpha_bar:
//   constant   value                         table   values[step]
//   capped     min(eta, m), rescaled: eta m, fixed: eta, each a chance c of noising again, kappa = clip(1 - c / (1 - a_s));
//              m = min(1, (1 - a_s) / a_t) is the largest that keeps the marginals.

import { fail } from "../../../support/diagnostic.js";
import { noised } from "../noising.js";
import type { TokenRow } from "../points.js";
import type { KappaDescription } from "../sampler-description.js";
import { ancestral } from "./ancestral.js";
import type { TokenSampler } from "./sampler.js";

/** kappa of a step. Throws `sampler/kappa-table` where the table ends before the steps do. */
export function kappaOf(kappa: KappaDescription, row: TokenRow): number {
  switch (kappa.kind) {
    case "constant":
      return kappa.value;
    case "table":
      return (
        kappa.values[row.step] ??
        fail(
          "sampler/kappa-table",
          `kappa has ${kappa.values.length} values, and there is a step ${row.step}`,
          {
            pointer: "/sampler/kappa/values",
            help: "give one value per step, one less than the grid has times",
          },
        )
      );
    default: {
      const noise = row.to.sigma2;
      if (noise === 0) return 1;
      const most = row.alphaBar > 0 ? Math.min(1, noise / row.alphaBar) : 1;
      const { eta } = kappa;
      const chance = { capped: Math.min(eta, most), rescaled: eta * most, fixed: eta }[kappa.kind];
      return Math.min(1, Math.max(0, 1 - chance / noise));
    }
  }
}

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
export function psi(
  kappa: KappaDescription = { kind: "constant", value: 1 },
  step: TokenSampler = ancestral(),
  clean: TokenSampler = cleanTokens,
): TokenSampler {
  return {
    name: "psi",
    reads: "probabilities",
    weights(process, p, x, row, out) {
      const k = kappaOf(kappa, row);
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
