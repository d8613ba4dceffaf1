// What a network's output says at one position; x is the token that stands there. A network gives probabilities
// p_v = p(x_0 = v | x_t) or scores s_y = p_t(y) / p_t(x), and either follows from the other:
//   s_y = sum_v p_v q(y | v) / q(x | v).
// With s the total noise -ln alpha_bar that is p_y / (e^s - 1) for absorbing, x masked (Ou et al. 2024, RADD).
// plug_in: the output is an x_0 put into the posterior, q(x_s | x_t, x_0) = q(x_t | x_s) sum_v x_v q(x_s | v) up to scale
// (D3PM, UDLM, Duo, GIDD). That is the mixture of the posteriors of all v with p_v = x_v q(x_t | v) up to scale, so every
// sampler that reads p serves it.

import { totalNoise } from "../noise-level.js";
import { type Choice, restricted, softmaxInto } from "./choice.js";
import { likelihoods, noised, traced } from "./noising.js";
import {
  absorbs,
  hasScores,
  maskOf,
  type ScoredProcess,
  type TokenLevel,
  type TokenProcess,
} from "./token-process.js";
import { analyticWeights } from "./transitions.js";

/** What the logits of a network stand for (schema: prediction_type). */
export interface TokenPrediction {
  readonly target: "x0" | "plug_in" | "subs" | "log_score";
  readonly scale_by_sigma?: boolean;
}

/** Reads one position's output of a network. */
export interface Reading {
  /** p(x_0 = v | x_t) into `out`, n numbers that sum to one. */
  probabilities(logits: ArrayLike<number>, token: number, at: TokenLevel, out: Float64Array): Float64Array;
  /** What the network itself holds for x_0 at the position, before the token there is weighed in: the argmax is of it. */
  own(logits: ArrayLike<number>, token: number, at: TokenLevel, out: Float64Array): Float64Array;
  /** ln p_t(y) / p_t(token) into `out`, 0 at the token itself. */
  logScores(logits: ArrayLike<number>, token: number, at: TokenLevel, out: Float64Array): Float64Array;
}

/** How outputs of this kind are read; `choice` limits what may be drawn from the probabilities. */
export function readingOf(process: TokenProcess, prediction: TokenPrediction, choice: Choice = {}): Reading {
  if (prediction.target === "log_score" && hasScores(process))
    return scoreReading(process, prediction.scale_by_sigma === true, choice);
  const own = clean(process, prediction.target === "subs", choice);
  return probabilityReading(process, own, prediction.target === "plug_in" ? weighed(process, own) : own);
}

/** p(x_0 = v | x_t) from a position's logits, into `out`. */
type Probabilities = Reading["probabilities"];

/** Outputs are logits of x_0. With `subs` the mask has probability 0 and tokens that are not masked stay. */
function clean(process: TokenProcess, subs: boolean, choice: Choice): Probabilities {
  const mask = neverClean(process, subs);
  return (logits, token, _, out) => {
    if (subs && mask !== undefined && token !== mask) return oneHot(out, token);
    return restricted(softmaxInto(logits, choice.temperature ?? 1, out, mask), choice);
  };
}

/** The token that no text has: the mask, where the prediction excludes it or a hybrid's noise does. */
export function neverClean(process: TokenProcess, subs: boolean): number | undefined {
  return process.kind === "hybrid" || (absorbs(process) && subs) ? maskOf(process) : undefined;
}

/** Outputs are logits of x_0 before the token is looked at: p(x_0 = v | x_t) is proportional to x_v q(token | v). */
function weighed(process: TokenProcess, unlooked: Probabilities): Probabilities {
  const weights = new Float64Array(process.vocabulary);
  return (logits, token, at, out) => {
    unlooked(logits, token, at, out);
    likelihoods(process, at, token, weights);
    let sum = 0;
    for (let v = 0; v < out.length; v++) {
      out[v]! *= weights[v]!;
      sum += out[v]!;
    }
    if (sum === 0) return oneHot(out, token);
    for (let v = 0; v < out.length; v++) out[v]! /= sum;
    return out;
  };
}

/** Scores follow from p(x_0 | x_t). */
function probabilityReading(
  process: TokenProcess,
  own: Probabilities,
  probabilities: Probabilities,
): Reading {
  const n = process.vocabulary;
  return {
    own,
    probabilities,
    logScores(logits, token, at, out) {
      const p = probabilities(logits, token, at, out);
      const w = new Float64Array(n);
      // What cannot have become the token is that token.
      if (!traced(process, at, p, token, w)) w[token] = 1;
      noised(process, at, w, out);
      const own = Math.log(out[token]!);
      for (let y = 0; y < n; y++) out[y] = Math.log(out[y]!) - own;
      out[token] = 0;
      return out;
    },
  };
}

/** Outputs are log scores, up to SEDD's scale: ln(e^s - 1) + ln(n - 1) is then subtracted. */
function scoreReading(process: ScoredProcess, scaled: boolean, choice: Choice): Reading {
  const n = process.vocabulary;
  const stated = (
    logits: ArrayLike<number>,
    token: number,
    at: TokenLevel,
    out: Float64Array,
  ): Float64Array => {
    const shift = scaled ? Math.log(at.sigma2 / at.alphaBar) + Math.log(n - 1) : 0;
    for (let y = 0; y < n; y++) out[y] = logits[y]! - shift;
    out[token] = 0;
    return out;
  };
  const probabilities: Probabilities = (logits, token, at, out) => {
    if (process.kind === "absorbing" && token !== process.mask) return oneHot(out, token);
    const scores = stated(logits, token, at, out).map(Math.exp);
    analyticWeights(process, scores, token, totalNoise(at), out);
    if (process.kind === "absorbing") out[process.mask] = 0;
    let sum = 0;
    for (let v = 0; v < n; v++) {
      out[v] = Math.max(0, out[v]!) ** (1 / (choice.temperature ?? 1));
      sum += out[v]!;
    }
    for (let v = 0; v < n; v++) out[v]! /= sum;
    return restricted(out, choice);
  };
  const reading = probabilityReading(process, probabilities, probabilities);
  // What limits the choice acts on probabilities; scores then follow from those.
  return limits(choice) ? reading : { ...reading, logScores: stated };
}

/** Whether anything is cut off or sharpened. */
function limits({ temperature = 1, top_k = 0, top_p = 1 }: Choice): boolean {
  return temperature !== 1 || top_k > 0 || top_p < 1;
}

function oneHot(out: Float64Array, token: number): Float64Array {
  out.fill(0);
  out[token] = 1;
  return out;
}
