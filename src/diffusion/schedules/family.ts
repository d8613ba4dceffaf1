// What a noise schedule family is: a formula for the noise level at a continuous time, before any
// discretisation (discretize.ts) and any choice of inference grid (timesteps.ts).

import type { NoiseLevel } from "../noise-level.js";

/** A family given by a formula, with its constants bound. */
export interface FormulaFamily {
  readonly kind: "formula";
  /**
   * The noise level at time u, 0 the clean and 1 the noisy end; quantile families take the quantile q in
   * (0, 1). May leave alpha_bar in [0, 1] at the very ends where the published formula does: a
   * discretisation clips, `checkSchedule` reports.
   */
  at(u: number): NoiseLevel;
  /** d(-ln alpha_bar)/du; only families of discrete processes have it. */
  rate?(u: number): number;
  /** d alpha_bar / du where alpha_bar may be 0; elsewhere it follows from the rate. */
  slope?(u: number): number;
}

/** A family given by its betas, with its constants bound. */
export interface BetaFamily {
  readonly kind: "betas";
  /** beta_0 .. beta_{T-1}, cleanest first; those of one position, where a family has a position axis. */
  betas(steps: number, position: number): Float64Array;
}

export type BoundFamily = FormulaFamily | BetaFamily;

/** A constant of a family: a number, a switch, a choice, or the numbers of a tensor, in rows or one after the other. */
export type Constant = number | boolean | string | readonly (number | readonly number[])[];

/** One family: its constants' defaults and the binding of given constants. */
export interface ScheduleFamily<Constants extends Readonly<Record<string, Constant>>> {
  readonly defaults: Constants;
  bind(constants: Constants): BoundFamily;
}

/** `count` points from `from` to `to`, both included: from + i (to - from) / (count - 1), the end exact. */
export function linspace(from: number, to: number, count: number): Float64Array {
  const points = new Float64Array(count);
  const step = count > 1 ? (to - from) / (count - 1) : 0;
  for (let i = 0; i < count; i++) points[i] = from + i * step;
  if (count > 1) points[count - 1] = to;
  return points;
}
