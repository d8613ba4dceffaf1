// Gumbel quantile: gamma(q) = loc - scale ln(-ln q), the quantile function of a Gumbel law fitted to where
// the loss falls, clamped to [loc - scale ln(-ln cutoff), loc - scale ln cutoff].
// Source: LangFlow (arXiv 2604.11748); loc 4.723, scale 0.852, cutoff 1e-5 are its initial values and a
// checkpoint's `proposal.loc` and `proposal.scale` replace them.
// Near q = 1, ln q = log1p(q - 1), and q - 1 is exact for q >= 1/2 (Sterbenz), so the only error left at
// the grid's first point q = 1 - 1e-5 is the rounding of q itself.

import { levelFromGamma } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

export const gumbelQuantile: ScheduleFamily<{
  readonly loc: number;
  readonly scale: number;
  readonly cutoff: number;
}> = {
  defaults: { loc: 4.723, scale: 0.852, cutoff: 1e-5 },
  bind: ({ loc, scale, cutoff }) => {
    const logarithm = (q: number) => (q < 0.5 ? Math.log(q) : Math.log1p(q - 1));
    const gamma = (q: number) => loc - scale * Math.log(-logarithm(q));
    const least = loc - scale * Math.log(-Math.log(cutoff));
    const greatest = loc - scale * Math.log(cutoff);
    return {
      kind: "formula",
      at: (q) => levelFromGamma(Math.min(greatest, Math.max(least, gamma(q)))),
    };
  },
};
