// From a family to the table a network was trained on: alpha_bar_i and beta_i for i = 0 .. T-1.
// How the formula is cut into T steps is a choice of its own: the same cosine gives different tables.

import { fail } from "../support/diagnostic.js";
import type { NoiseLevel } from "./noise-level.js";
import { levelFromPowers } from "./noise-level.js";
import type { BoundFamily } from "./schedules/family.js";

/** How a formula becomes T steps; `continuous` leaves it alone. */
export type Discretization =
  | { readonly kind: "continuous" }
  | { readonly kind: "ratio_beta"; readonly max_beta?: number; readonly num_train_steps?: number }
  | { readonly kind: "given_beta"; readonly num_train_steps?: number }
  | { readonly kind: "left_edge"; readonly relative?: boolean; readonly num_train_steps?: number };

/** T where a description leaves it out. */
const standardTrainSteps = 1000;
/** Largest beta where a description leaves it out. */
const standardMaxBeta = 0.999;

/** A table of T steps; index 0 is the cleanest. All float64. */
export interface DiscreteSchedule {
  readonly kind: "discrete";
  readonly steps: number;
  readonly betas: Float64Array;
  /** alphaBar[i] = prod_{j <= i} (1 - betas[j]). */
  readonly alphaBar: Float64Array;
  /** 1 - alphaBar[i], summed without cancellation. */
  readonly sigma2: Float64Array;
  /** Which time of [0, 1] step i stands for: `right` is (i + 1) / T, `left` is i / T. */
  readonly edge: "left" | "right";
}

/**
 * The table that belongs to a list of betas:
 *   alpha_bar_i = alpha_bar_{i-1} (1 - beta_i),   sigma2_i = sigma2_{i-1} + alpha_bar_{i-1} beta_i.
 * The second line is the first subtracted from one; every term is positive, so small noise powers keep
 * full relative precision. Where betas take all signal the terms sum to one but for rounding, which is cut off.
 */
export function tableFromBetas(betas: Float64Array, edge: "left" | "right" = "right"): DiscreteSchedule {
  const alphaBar = new Float64Array(betas.length);
  const sigma2 = new Float64Array(betas.length);
  let signal = 1;
  let noise = 0;
  for (const [i, beta] of betas.entries()) {
    // Rounding must not pass the whole.
    noise = Math.min(1, noise + signal * beta);
    signal *= 1 - beta;
    alphaBar[i] = signal;
    sigma2[i] = noise;
  }
  return { kind: "discrete", steps: betas.length, betas, alphaBar, sigma2, edge };
}

/**
 * Cut a family into T steps; `position` is that of a family whose betas differ by position.
 *   ratio_beta: beta_i = min(1 - f((i+1)/T) / f(i/T), max_beta), so alpha_bar_i = f((i+1)/T) / f(0), not f
 *               (Nichol and Dhariwal 2021; Diffusion-LM);
 *   given_beta: the family's own list of betas;
 *   left_edge:  alpha_bar_i = f(i/T) / f(0) (TESS); beta_0 is 0. Not relative: alpha_bar_i = f(i/T)
 *               (Diffusion-LM's trunc_cos); beta_0 is 1 - f(0).
 * Throws `schedule/discretization` when the family does not come in that form.
 */
export function discretize(
  family: BoundFamily,
  discretization: Exclude<Discretization, { readonly kind: "continuous" }>,
  position = 0,
): DiscreteSchedule {
  const steps = discretization.num_train_steps ?? standardTrainSteps;
  if (discretization.kind === "given_beta")
    return family.kind === "betas"
      ? tableFromBetas(family.betas(steps, position))
      : wrongForm("given_beta", "formula");
  if (family.kind === "betas") return wrongForm(discretization.kind, "betas");
  const signal = Float64Array.from({ length: steps + 1 }, (_, i) => family.at(i / steps).alphaBar);
  const beta = (i: number) => 1 - signal[i + 1]! / signal[i]!;
  if (discretization.kind === "left_edge") {
    const first = discretization.relative === false ? 1 - signal[0]! : 0;
    const betas = Float64Array.from({ length: steps }, (_, i) => (i === 0 ? first : beta(i - 1)));
    return tableFromBetas(betas, "left");
  }
  const greatest = discretization.max_beta ?? standardMaxBeta;
  return tableFromBetas(Float64Array.from({ length: steps }, (_, i) => Math.min(beta(i), greatest)));
}

/** Stop: the family is given as `form`, which `kind` cannot use. */
export function wrongForm(kind: string, form: BoundFamily["kind"]): never {
  return fail(
    "schedule/discretization",
    form === "betas"
      ? `the family lists its betas, so its discretization is given_beta, not ${kind}`
      : `discretization ${kind} needs a family that lists betas; this one is a formula for alpha_bar`,
    {
      pointer: "/noise_schedule/discretization",
      help: `use ${form === "betas" ? "given_beta" : "ratio_beta"}`,
    },
  );
}

/** The noise level of step `index` of a table. */
export function levelAt(table: DiscreteSchedule, index: number): NoiseLevel {
  return levelFromPowers(table.alphaBar[index]!, table.sigma2[index]!);
}

/**
 * The betas of the shortened process that visits only `indices` (ascending):
 *   beta'_k = 1 - alpha_bar_{i_k} / alpha_bar_{i_{k-1}},  beta'_0 = 1 - alpha_bar_{i_0}.
 * Its table has the same alpha_bar as the long one at the visited steps (improved-diffusion's respacing).
 */
export function respacedBetas(table: DiscreteSchedule, indices: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: indices.length }, (_, k) => {
    const index = indices[k]!;
    return k === 0 ? table.sigma2[index]! : 1 - table.alphaBar[index]! / table.alphaBar[indices[k - 1]!]!;
  });
}
