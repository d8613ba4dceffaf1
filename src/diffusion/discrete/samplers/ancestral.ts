// Ancestral sampling: the posterior q(x_to | x_from, x_0) averaged over the predicted p(x_0).
// Absorbing (Sahoo et al. 2024, MDLM, eq. 7): a masked position becomes v with weight p_v (m_from - m_to) and stays
// masked with weight m_to; other positions stay.
// Uniform (Austin et al. 2021, D3PM, eq. 3, with Q = a I + (1 - a)/n 1 1^T; Duo): with a_f, a_t the signals at from and
// to and r = a_f / a_t,
//   q(v) = sum_u p_u (r 1[v = x] + (1 - r)/n) (a_t 1[v = u] + (1 - a_t)/n) / (a_f 1[x = u] + (1 - a_f)/n).

import type { TokenSampler } from "./sampler.js";

export function ancestral(moveChance: "schedule" | "time" = "schedule"): TokenSampler {
  return {
    name: "ancestral",
    reads: "probabilities",
    weights(process, p, x, row, out) {
      const [from, to] = moveChance === "time" ? [row.t, row.to.t] : [row.sigma2, row.to.sigma2];
      if (process.kind === "absorbing") {
        for (let v = 0; v < out.length; v++) out[v] = p[v]! * (from - to);
        out[process.mask]! += to;
        return x === process.mask;
      }
      const n = process.vocabulary;
      const [signalFrom, signalTo] = [1 - from, 1 - to];
      const ratio = signalFrom / signalTo;
      const atX = p[x]! / (signalFrom + from / n);
      const sum = (1 - p[x]!) / (from / n) + atX;
      for (let v = 0; v < n; v++) {
        const own = v === x ? atX : p[v]! / (from / n);
        out[v] = ((v === x ? ratio : 0) + (1 - ratio) / n) * (signalTo * own + (to / n) * sum);
      }
      return true;
    },
  };
}
