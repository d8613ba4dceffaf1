// Discrete flow matching (Gat et al. 2024; Campbell et al. 2024): a Markov chain in continuous time. From the token x, with x_1
// drawn from p(x_1 | x_t) and p0 the law of the noise, its rates are
//   A [y = x_1] + B p0_y,   y != x,   A and B as flow-rates.ts has them.
// A step jumps with chance 1 - e^-L, L the sum of the rates, to y in proportion to its own; `jump` linear: with chance L.
// The weights are the mean over x_1.

import { maskOf } from "../token-process.js";
import type { TokenSampler } from "./sampler.js";

export function discreteFlow(jump: "exponential" | "linear" = "exponential"): TokenSampler {
  return {
    name: "discrete_flow",
    reads: "probabilities",
    weights(process, p, x, { flow }, out) {
      const { forth, back } = flow!;
      const mask = maskOf(process);
      const noise = (y: number): number => (mask === undefined ? 1 / out.length : Number(y === mask));
      // Rates away from x when x_1 is another token, and when it is x itself.
      const away = back * (1 - noise(x));
      const [other, same] = [jumped(forth + away, jump), jumped(away, jump)];
      const mean = (1 - p[x]!) * other + p[x]! * same;
      let left = 0;
      for (let y = 0; y < out.length; y++) {
        out[y] = y === x ? 0 : forth * p[y]! * other + back * noise(y) * mean;
        left += out[y]!;
      }
      out[x] = Math.max(0, 1 - left);
      return left > 0;
    },
  };
}

/** The chance of a jump over the rate of leaving: (1 - e^-L) / L, or 1. */
function jumped(leaving: number, jump: "exponential" | "linear"): number {
  return jump === "linear" || leaving === 0 ? 1 : -Math.expm1(-leaving) / leaving;
}
