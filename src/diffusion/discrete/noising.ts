// What a token process does between levels, as linear maps over the tokens: all that posteriors are made of. With b(x) the
// chance that noise put x there, and r = a_t / a_s from the cleaner s to the noisier t,
//   q(x_t = x | x_0 = u) = a 1[x = u] + b_t(x)
//   q(x_t = x | x_s = v) = r 1[x = v] + b_t(x) - r b_s(x),
// or the maps that a process brings along.

import { maskOf, type TokenLevel, type TokenProcess } from "./token-process.js";

/** A process whose noise does not look at what it noises. */
type Mixed = Exclude<TokenProcess, { maps: object }>;

/** The chance that noise put x there, at a level. */
function noiseMass(process: Mixed, { sigma2, random = 0 }: TokenLevel, x: number): number {
  if (process.kind === "uniform") return sigma2 / process.vocabulary;
  return x === process.mask ? sigma2 * (1 - random) : (sigma2 * random) / (process.vocabulary - 1);
}

/** q(x_t = x | x_0 = u) of every u, into `out`. */
export function likelihoods(
  process: TokenProcess,
  level: TokenLevel,
  x: number,
  out: Float64Array,
): Float64Array {
  if ("maps" in process) return process.maps.likelihoods(level, x, out);
  out.fill(noiseMass(process, level, x));
  out[x]! += level.alphaBar;
  return out;
}

/** sum_u w_u q(x_t = v | x_0 = u) of every v, into `out`. */
export function noised(
  process: TokenProcess,
  level: TokenLevel,
  w: Float64Array,
  out: Float64Array,
): Float64Array {
  if ("maps" in process) return process.maps.noised(level, w, out);
  let sum = 0;
  for (const weight of w) sum += weight;
  const mask = maskOf(process);
  const spread = sum * noiseMass(process, level, mask === 0 ? 1 : 0);
  for (let v = 0; v < out.length; v++) out[v] = level.alphaBar * w[v]! + spread;
  if (mask !== undefined) out[mask] = level.alphaBar * w[mask]! + sum * noiseMass(process, level, mask);
  return out;
}

/** q(x_t = x | x_s = v) of every v, into `out`: `from` is t, `to` the cleaner s, with matrices the next visited level. */
export function transitions(
  process: TokenProcess,
  from: TokenLevel,
  to: TokenLevel,
  x: number,
  out: Float64Array,
): Float64Array {
  if ("maps" in process) return process.maps.transitions(from, to, x, out);
  const ratio = from.alphaBar / to.alphaBar;
  // Rounding must not make a chance of 0 negative.
  out.fill(Math.max(0, noiseMass(process, from, x) - ratio * noiseMass(process, to, x)));
  out[x]! += ratio;
  return out;
}

/** p_u / q(x_t = x | x_0 = u) of every u, into `out`. False where no u with p_u > 0 can have become x. */
export function traced(
  process: TokenProcess,
  level: TokenLevel,
  p: Float64Array,
  x: number,
  out: Float64Array,
): boolean {
  likelihoods(process, level, x, out);
  let possible = false;
  for (let u = 0; u < out.length; u++) {
    out[u] = p[u]! > 0 && out[u]! > 0 ? p[u]! / out[u]! : 0;
    possible ||= out[u]! > 0;
  }
  return possible;
}

/**
 * q(x_s = v | x_t = x) up to a factor, averaged over p(x_0 = u | x_t) in `p`:
 *   q(x_t = x | x_s = v) sum_u p_u q(x_s = v | x_0 = u) / q(x_t = x | x_0 = u).
 * False where no u with p_u > 0 can have become x.
 */
export function posterior(
  process: TokenProcess,
  from: TokenLevel,
  to: TokenLevel,
  p: Float64Array,
  x: number,
  out: Float64Array,
): boolean {
  const w = new Float64Array(p.length);
  if (!traced(process, from, p, x, w)) return false;
  noised(process, to, w, out);
  const moved = transitions(process, from, to, x, w);
  for (let v = 0; v < out.length; v++) out[v]! *= moved[v]!;
  return true;
}
