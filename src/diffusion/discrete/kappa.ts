// Share of the ancestral step in the psi sampler, which a plan holds; a is the signal alpha_bar, from t to the cleaner s:
//   constant   value                         table   values[step]
//   capped     min(eta, m), rescaled: eta m, fixed: eta, each a chance c of noising again, kappa = clip(1 - c / (1 - a_s));
//              m = min(1, (1 - a_s) / a_t) is the largest that keeps the marginals                (Wang et al. 2025, ReMDM)

import { fail } from "../../support/diagnostic.js";
import type { NoiseLevel } from "../noise-level.js";
import type { KappaDescription } from "./sampler-description.js";

/** A step, as far as kappa depends on it. */
interface Step extends Pick<NoiseLevel, "alphaBar"> {
  readonly step: number;
  readonly to: Pick<NoiseLevel, "sigma2">;
}

/** kappa of a step. Throws `sampler/kappa-table` where the table ends before the steps do. */
export function kappaOf(kappa: KappaDescription, row: Step): number {
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
