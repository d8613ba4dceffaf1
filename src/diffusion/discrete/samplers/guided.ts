// Guidance of the step instead of the prediction (D-CFG, Schiff et al. 2024): with q_l(x_s | x_t) the weights that a sampler
// makes of the answer with what is given and q_u of the one without, each scaled to sum to one,
//   ln w = difference or mix of ln q_l and ln q_u.
// A token that either of them excludes is excluded; where they share none, q_l is drawn from. For a masked position this
// differs from guidance of the prediction in the chance of staying masked alone, for a uniform state in every weight.

import { combination, type GuidanceDescription } from "../../guidance.js";
import type { TokenSampler } from "./sampler.js";

/** Weights of both answers into one, in `l`. */
export function guideWeights(guidance: GuidanceDescription, l: Float64Array, u: Float64Array): Float64Array {
  const combine = combination(guidance);
  const [ofL, ofU] = [total(l), total(u)];
  const logs = l.map((weight, v) =>
    weight > 0 && u[v]! > 0
      ? combine(Math.log(weight / ofL), Math.log(u[v]! / ofU))
      : Number.NEGATIVE_INFINITY,
  );
  const most = logs.reduce((a, b) => Math.max(a, b));
  return most === Number.NEGATIVE_INFINITY ? l : logs.map((log) => Math.exp(log - most));
}

function total(weights: Float64Array): number {
  return weights.reduce((sum, weight) => sum + Math.max(0, weight), 0);
}

/** The sampler on two readings, one after the other in the array it is given: with what is given, and without. */
export function guided(sampler: TokenSampler, guidance: GuidanceDescription): TokenSampler {
  return {
    ...sampler,
    weights(process, readings, x, row, out) {
      const n = out.length;
      const u = new Float64Array(n);
      sampler.weights(process, readings.subarray(n), x, row, u);
      const moves = sampler.weights(process, readings.subarray(0, n), x, row, out);
      if (moves) out.set(guideWeights(guidance, out, u));
      return moves;
    },
  };
}
