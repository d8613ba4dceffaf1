// What a token process does between levels, as linear maps over the tokens: all that posteriors are made of. With b(x) the
// chance that noise put x there, and r = a_t / a_s from the cleaner s to the noisier t,
//   q(x_t = x | x_0 = u) = a 1[x = u] + b_t(x)
//   q(x_t = x | x_s = v) = r 1[x = v] + b_t(x) - r b_s(x),
// or with a_v and m_v = 1 - a_v of every token, b(mask) = m of the token that was there, or the matrices that a process
// brings along.

import { maskOf, type TokenLevel, type TokenProcess } from "./token-process.js";
import { maskChance } from "./token-schedule.js";

/** A process whose noise does not look at what it noises. */
type Mixed = Exclude<TokenProcess, { kind: "matrix" | "per_token" }>;
type PerToken = Extract<TokenProcess, { kind: "per_token" }>;

/** The chance that token v is masked; the mask is for certain. */
function masking({ schedule, mask }: PerToken, level: TokenLevel, v: number): number {
  return v === mask ? 1 : maskChance(schedule, level, v, level.information);
}

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
  if (process.kind === "matrix") return column(process.marginals[level.visit!]!, x, out);
  if (process.kind === "per_token") {
    for (let u = 0; u < out.length; u++) {
      const masked = masking(process, level, u);
      out[u] = x === process.mask ? masked : u === x ? 1 - masked : 0;
    }
    return out;
  }
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
  if (process.kind === "matrix") return mean(process.marginals[level.visit!]!, w, out);
  let sum = 0;
  if (process.kind === "per_token") {
    for (let v = 0; v < out.length; v++) {
      const masked = masking(process, level, v);
      out[v] = w[v]! * (1 - masked);
      sum += w[v]! * masked;
    }
    out[process.mask] = sum;
    return out;
  }
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
  if (process.kind === "matrix") return column(process.transitions[from.visit!]!, x, out);
  if (process.kind === "per_token") {
    for (let v = 0; v < out.length; v++) {
      const [noisier, cleaner] = [masking(process, from, v), masking(process, to, v)];
      // The chance to be masked between s and t; of the mask itself, 1.
      const masked =
        v === process.mask || cleaner === 1 ? 1 : Math.max(0, (noisier - cleaner) / (1 - cleaner));
      out[v] = x === process.mask ? masked : v === x ? 1 - masked : 0;
    }
    return out;
  }
  const ratio = from.alphaBar / to.alphaBar;
  // Rounding must not make a chance of 0 negative.
  out.fill(Math.max(0, noiseMass(process, from, x) - ratio * noiseMass(process, to, x)));
  out[x]! += ratio;
  return out;
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
  const w = likelihoods(process, from, x, new Float64Array(p.length));
  let possible = false;
  for (let u = 0; u < w.length; u++) {
    w[u] = p[u]! > 0 && w[u]! > 0 ? p[u]! / w[u]! : 0;
    possible ||= w[u]! > 0;
  }
  if (!possible) return false;
  noised(process, to, w, out);
  const moved = transitions(process, from, to, x, w);
  for (let v = 0; v < out.length; v++) out[v]! *= moved[v]!;
  return true;
}

/** Column x of a matrix. */
function column(matrix: Float64Array, x: number, out: Float64Array): Float64Array {
  const n = out.length;
  for (let v = 0; v < n; v++) out[v] = matrix[v * n + x]!;
  return out;
}

/** Rows of a matrix in the shares w. */
function mean(matrix: Float64Array, w: Float64Array, out: Float64Array): Float64Array {
  const n = out.length;
  out.fill(0);
  for (let u = 0; u < n; u++) for (let v = 0; v < n && w[u] !== 0; v++) out[v]! += w[u]! * matrix[u * n + v]!;
  return out;
}
