// Noise on tokens. With the signal a = alpha_bar, n tokens and the share r of noise that is random tokens:
//   absorbing   q(x_t | x_0) = a x_0 + (1 - a) mask
//   uniform     q(x_t | x_0) = a x_0 + (1 - a) / n
//   hybrid      q(x_t | x_0) = a x_0 + (1 - a) ((1 - r) mask + r / (n - 1) on the others),   r changes with a
// The share of a hybrid (von Rütte et al. 2025, "Generalized Interpolating Discrete Diffusion", GIDD, section 3.2) mixes
// random tokens into masked diffusion with the signal a of the schedule, m = 1 - a:
//   hump       a' = a / (1 + c),  mask mass m / (1 + c),  random mass c / (1 + c),
//              c = 2^e p / (1 - p) (a m)^(e/2): at most c / (1 + c) = p of all tokens are random, at a = 1/2
//   constant   a' = a, r the share
// per_token: absorbing with a chance of its own for every token, see token-schedule.ts.
// matrix: any q(x_t | x_0), as matrices.ts makes them for every visited level.

import { levelFromPowers, type NoiseLevel } from "../noise-level.js";

/** How much of the noise of a hybrid state is random tokens (schema: state_space.random_tokens). */
export type RandomTokens =
  | { readonly kind: "hump"; readonly peak: number; readonly exponent: number }
  | { readonly kind: "constant"; readonly share: number };

/** What a process does between levels, where it is more than a mix; a plan has them as functions (`noising.ts`). */
export interface NoiseMaps {
  /** q(x_t = x | x_0 = u) of every u, into `out`. */
  likelihoods(level: TokenLevel, x: number, out: Float64Array): Float64Array;
  /** sum_u w_u q(x_t = v | x_0 = u) of every v, into `out`. */
  noised(level: TokenLevel, w: Float64Array, out: Float64Array): Float64Array;
  /** q(x_t = x | x_s = v) of every v, into `out`: `from` is t, `to` the next visited level. */
  transitions(from: TokenLevel, to: TokenLevel, x: number, out: Float64Array): Float64Array;
}

/** What noise does to a token. */
export type TokenProcess =
  | { readonly kind: "absorbing"; readonly vocabulary: number; readonly mask: number }
  | { readonly kind: "uniform"; readonly vocabulary: number }
  | {
      readonly kind: "hybrid";
      readonly vocabulary: number;
      readonly mask: number;
      readonly random: RandomTokens;
    }
  | {
      readonly kind: "per_token";
      readonly vocabulary: number;
      readonly mask: number;
      /** Of every token, where the text's mean decides. */
      readonly information?: readonly number[];
      readonly maps: NoiseMaps;
    }
  | {
      readonly kind: "matrix";
      readonly vocabulary: number;
      /** The law that noise leads to: the first state's. */
      readonly limit: Float64Array;
      readonly maps: NoiseMaps;
    };

/** A process whose rates have the closed forms of transitions.ts, which scores are read with. */
export type ScoredProcess = Extract<TokenProcess, { kind: "absorbing" | "uniform" }>;

/** A noise level of tokens. */
export interface TokenLevel extends NoiseLevel {
  /** Share of the noise that is random tokens rather than masks, where a process has both. */
  readonly random?: number;
  /** Mean information of the text, where a schedule per token asks for it. */
  readonly information?: number;
  /** Place among the visited levels, where a process has matrices for each. */
  readonly visit?: number;
}

/** The mask token of a process that has one. */
export function maskOf(process: TokenProcess): number | undefined {
  return "mask" in process ? process.mask : undefined;
}

/** Whether the token is noise for certain: the mask. */
export function isMasked(process: TokenProcess, token: number): boolean {
  return token === maskOf(process);
}

/** Whether a token that is not the mask is clean for certain. */
export function absorbs(process: TokenProcess): boolean {
  return process.kind === "absorbing" || process.kind === "per_token";
}

/** The process's level at a level of the noise schedule. */
export function levelOf(process: TokenProcess, level: NoiseLevel): TokenLevel {
  if (process.kind !== "hybrid") return level;
  const { random } = process;
  if (random.kind === "constant") return { ...level, random: random.share };
  const { alphaBar: a, sigma2: m } = level;
  const odds =
    ((2 ** random.exponent * random.peak) / (1 - random.peak)) * Math.max(0, a * m) ** (random.exponent / 2);
  return {
    ...levelFromPowers(a / (1 + odds), (m + odds) / (1 + odds)),
    random: m + odds > 0 ? odds / (m + odds) : 0,
  };
}

/** The share of random tokens where no signal is left: what generation starts from. */
export function firstShare(process: TokenProcess): number {
  if (maskOf(process) === undefined) return 1;
  return levelOf(process, levelFromPowers(0, 1)).random ?? 0;
}

/** Whether scores can be read. */
export function hasScores(process: TokenProcess): process is ScoredProcess {
  return process.kind === "absorbing" || process.kind === "uniform";
}
