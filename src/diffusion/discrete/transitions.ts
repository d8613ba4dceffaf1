// Rates and transitions of the two token processes in closed form, and the reverse moves made of them, for one position
// with the token x. `scores` are p_t(y) / p_t(x) with 1 at x, d a step of total noise, n the number of tokens.
// Source: Lou et al. 2024, "Discrete Diffusion Modeling by Estimating the Ratios of the Data Distribution" (SEDD),
// section 3 and 5.2 (graph_lib.py of its code).

import type { ScoredProcess } from "./token-process.js";

/**
 * Row of the transposed rate matrix: at which rate each y turns into x.
 * Absorbing: -1 at x, and +1 everywhere when x is the mask. Uniform: 1/n, -(n-1)/n at x.
 */
export function transposedRate(process: ScoredProcess, x: number, out: Float64Array): Float64Array {
  const n = process.vocabulary;
  if (process.kind === "uniform") {
    out.fill(1 / n);
    out[x] = -(n - 1) / n;
    return out;
  }
  out.fill(x === process.mask ? 1 : 0);
  out[x]! -= 1;
  return out;
}

/** Rates of the reverse process from x: transposed rates times scores, minus their sum at x. */
export function reverseRate(
  process: ScoredProcess,
  scores: Float64Array,
  x: number,
  out: Float64Array,
): Float64Array {
  transposedRate(process, x, out);
  let sum = 0;
  for (let y = 0; y < out.length; y++) {
    out[y]! *= scores[y]!;
    if (y !== x) sum += out[y]!;
  }
  out[x] = -sum;
  return out;
}

/** Chances that each y has become x over a step d: e^(d Q) transposed, its row x. */
export function transposedTransition(
  process: ScoredProcess,
  x: number,
  d: number,
  out: Float64Array,
): Float64Array {
  const moved = -Math.expm1(-d);
  if (process.kind === "uniform") {
    const n = process.vocabulary;
    out.fill(moved / n);
    out[x] = 1 - (moved * (n - 1)) / n;
    return out;
  }
  out.fill(x === process.mask ? moved : 0);
  out[x]! += Math.exp(-d);
  return out;
}

/**
 * Scores moved back by d: e^(-d Q) applied to them.
 * Absorbing: s e^d, and (1 - e^d) times their sum added at the mask. Uniform, e = e^-d: s / e + (e - 1)/(n e) sum.
 */
export function staggeredScore(
  process: ScoredProcess,
  scores: Float64Array,
  d: number,
  out: Float64Array,
): Float64Array {
  let sum = 0;
  for (let y = 0; y < scores.length; y++) sum += scores[y]!;
  const grown = Math.exp(d);
  const added = (-Math.expm1(d) * sum) / (process.kind === "uniform" ? process.vocabulary : 1);
  for (let y = 0; y < scores.length; y++)
    out[y] = scores[y]! * grown + (process.kind === "uniform" || y === process.mask ? added : 0);
  return out;
}

/** Weights of the tokens a step d earlier: staggered scores times transposed transitions (Tweedie's rule). */
export function analyticWeights(
  process: ScoredProcess,
  scores: Float64Array,
  x: number,
  d: number,
  out: Float64Array,
): Float64Array {
  const transition = transposedTransition(process, x, d, new Float64Array(scores.length));
  staggeredScore(process, scores, d, out);
  for (let y = 0; y < out.length; y++) out[y]! *= transition[y]!;
  return out;
}
