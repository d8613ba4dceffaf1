// What a Gaussian sampler is: for a move from one noise level to a cleaner one, four numbers such that
//   x_next = a x0 + b x + c x0_prev + s noise,
// where x0 is the network's prediction at the current level and x0_prev the one before it.

import type { NoiseLevel } from "../noise-level.js";

/** One row of a sampler's coefficient table. */
export interface StepCoefficients {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly s: number;
}

/** Noise mixed in before a step: x <- keep x + noise e, which stands for `level` from then on. */
export interface Churn {
  readonly keep: number;
  readonly noise: number;
  readonly level: NoiseLevel;
}

/** A sampler with its options bound. */
export interface GaussianSampler {
  readonly name: string;
  /** True when `c` may differ from zero, so that the step needs the previous prediction. */
  readonly usesHistory: boolean;
  /** The coefficients of the move `from` -> `to`; `to` is the cleaner level, `before` the one visited before `from`. */
  coefficients(from: NoiseLevel, to: NoiseLevel, before?: NoiseLevel): StepCoefficients;
  /** A second update at the end of the move, after a call of the network there; none at the clean end. */
  correction?(from: NoiseLevel, to: NoiseLevel): StepCoefficients;
  /** Noise mixed in before the network is called for the move `from` -> `to`; never before the last move. */
  churn?(from: NoiseLevel, to: NoiseLevel): Churn;
}

/**
 * 1 - SNR(from) / SNR(to): the part of the noise that the move takes away, in (0, 1].
 * Equals beta / sigma_from^2 with beta = 1 - alphaBar_from / alphaBar_to (both checked in the tests).
 */
export function removedPart(from: NoiseLevel, to: NoiseLevel): number {
  return -Math.expm1(to.gamma - from.gamma);
}
