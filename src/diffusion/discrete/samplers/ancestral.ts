// Ancestral sampling: the posterior q(x_to | x_from, x_0) averaged over the predicted p(x_0).
// Absorbing (Sahoo et al. 2024, MDLM, eq. 7): a masked position becomes v with weight p_v (m_from - m_to) and stays
// masked with weight m_to; other positions stay.
// A schedule per token (Shi et al. 2024, GenMD4): it becomes v with weight p_v (m_from(v) - m_to(v)) / m_from(v), and stays
// masked with sum_v p_v m_to(v) / m_from(v).
// Else (Austin et al. 2021, D3PM, eq. 3; Duo, GIDD) the posterior of noising.ts, which gives the second too.

import { levelFromPowers } from "../../noise-level.js";
import { posterior } from "../noising.js";
import { absorbs, isMasked } from "../token-process.js";
import type { TokenSampler } from "./sampler.js";

export function ancestral(moveChance: "schedule" | "time" = "schedule"): TokenSampler {
  return {
    name: "ancestral",
    reads: "probabilities",
    weights(process, p, x, row, out) {
      const timed = moveChance === "time";
      if (process.kind === "absorbing") {
        const [from, to] = timed ? [row.t, row.to.t] : [row.sigma2, row.to.sigma2];
        for (let v = 0; v < out.length; v++) out[v] = p[v]! * (from - to);
        out[process.mask]! += to;
        return x === process.mask;
      }
      if (absorbs(process) && !isMasked(process, x)) return false;
      const from = timed ? levelFromPowers(1 - row.t, row.t) : row;
      const to = timed ? levelFromPowers(1 - row.to.t, row.to.t) : row.to;
      return posterior(process, from, to, p, x, out);
    },
  };
}
