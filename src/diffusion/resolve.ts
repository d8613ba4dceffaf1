// A description's `noise_schedule` as something that can be asked for levels: the family's formula in
// continuous time, or the table of trained steps.

import {
  type DiscreteSchedule,
  type Discretization,
  discretize,
  levelAt,
  respacedBetas,
  wrongForm,
} from "./discretize.js";
import { exploding, levelFromGamma, levelFromPowers, type NoiseLevel } from "./noise-level.js";
import { bindFamily } from "./schedules/index.js";

/** `noise_schedule` of a description, as far as the numbers need it; family constants are further keys. */
export interface NoiseScheduleDescription {
  /** A name of `scheduleFamilies`. */
  readonly family: string;
  readonly discretization?: Discretization;
  /** Added to the log SNR after clipping: 2 ln s of LD4LG's scale s, -2 ln F of Difformer's noise factor F. */
  readonly log_snr_shift?: number;
  /** Lowest and highest log SNR. */
  readonly log_snr_clip?: readonly number[];
  /** `variance_exploding`: alpha = 1 and sigma = noise over signal. */
  readonly process?: string;
  /** Of a listed schedule: its columns, where each position has one; lists of rows say it themselves. */
  readonly positions?: number;
  readonly alpha_bars?: unknown;
}

/** Columns of a schedule with a position axis; undefined where all positions share it. */
export function schedulePositions({
  positions,
  alpha_bars: listed,
}: NoiseScheduleDescription): number | undefined {
  if (positions !== undefined) return positions;
  const first: unknown = Array.isArray(listed) ? listed[0] : undefined;
  return Array.isArray(first) ? first.length : undefined;
}

/** Values of constants that come with the weights, by the names of the description; a matrix in rows. */
export type ScheduleConstants = Readonly<Record<string, number | readonly (number | readonly number[])[]>>;

/** A schedule in continuous time (or quantile): levels by formula. */
export interface ContinuousSchedule {
  readonly kind: "continuous";
  at(u: number): NoiseLevel;
  /** d(-ln alpha_bar)/du, of families of discrete processes without a move of their log SNR. */
  rate?(u: number): number;
  /** d alpha_bar / du, of the same families. */
  slope?(u: number): number;
}

export type ResolvedSchedule = ContinuousSchedule | DiscreteSchedule;

/**
 * Resolve a `noise_schedule`. `constants` are values that came with the weights (LangFlow's learned `loc` and
 * `scale`) and win over the description's own.
 * A schedule with a position axis is resolved for one position.
 * Throws `schedule/unknown-family`, `schedule/constant-missing`, `schedule/discretization`.
 */
export function resolveSchedule(
  description: NoiseScheduleDescription,
  constants: ScheduleConstants = {},
  position = 0,
): ResolvedSchedule {
  const family = bindFamily(description.family, { ...description, ...constants });
  const discretization: Discretization = description.discretization ?? {
    kind: family.kind === "betas" ? "given_beta" : "continuous",
  };
  const move = levelMove(description);
  if (discretization.kind === "continuous") {
    if (family.kind === "betas") return wrongForm("continuous", "betas");
    if (move) return { kind: "continuous", at: (u) => move(family.at(u)) };
    const { rate } = family;
    const slope = family.slope ?? (rate && ((u: number) => -family.at(u).alphaBar * rate(u)));
    return { kind: "continuous", at: (u) => family.at(u), ...(rate && { rate }), ...(slope && { slope }) };
  }
  // A formula is moved before it is cut into steps (Difformer), betas once they are a table.
  if (family.kind === "formula" && shifts(description)) {
    const table = discretize({ ...family, at: (u) => shifted(description, family.at(u)) }, discretization);
    return description.process === "variance_exploding"
      ? movedTable(table, ({ gamma }) => exploding(gamma))
      : table;
  }
  const table = discretize(family, discretization, position);
  return move ? movedTable(table, move) : table;
}

/** Whether the log SNR is clipped or moved. */
function shifts({ log_snr_shift: shift = 0, log_snr_clip: clip }: NoiseScheduleDescription): boolean {
  return shift !== 0 || clip !== undefined;
}

/**
 * A family's level with its log SNR clipped and moved by ln s: alpha_bar / (alpha_bar + sigma2 / s), which a formula may
 * also leave [0, 1] with, as it does before; a clip keeps what is outside at its ends.
 */
function shifted(
  { log_snr_shift: shift = 0, log_snr_clip: clip }: NoiseScheduleDescription,
  level: NoiseLevel,
): NoiseLevel {
  const gamma = Number.isNaN(level.gamma)
    ? (level.alphaBar > 0.5 ? -1 : 1) * Number.POSITIVE_INFINITY
    : level.gamma;
  const kept =
    clip === undefined
      ? level
      : levelFromGamma(
          -Math.min(
            clip[1] ?? Number.POSITIVE_INFINITY,
            Math.max(clip[0] ?? Number.NEGATIVE_INFINITY, -gamma),
          ),
        );
  const noise = kept.sigma2 * Math.exp(-shift);
  return levelFromPowers(kept.alphaBar / (kept.alphaBar + noise), noise / (kept.alphaBar + noise));
}

/** log SNR -> clip(log SNR) + shift, and the process that has it, when the description asks for any. */
function levelMove(description: NoiseScheduleDescription): ((level: NoiseLevel) => NoiseLevel) | undefined {
  const { log_snr_shift: shift = 0, log_snr_clip: clip, process } = description;
  const bind = process === "variance_exploding" ? exploding : levelFromGamma;
  if (shift === 0 && clip === undefined) return bind === exploding ? ({ gamma }) => bind(gamma) : undefined;
  const [lowest, highest] = [clip?.[0] ?? Number.NEGATIVE_INFINITY, clip?.[1] ?? Number.POSITIVE_INFINITY];
  return ({ gamma }) => bind(-(Math.min(highest, Math.max(lowest, -gamma)) + shift));
}

/** A table with every level moved; its betas follow from the new alpha_bar. */
function movedTable(table: DiscreteSchedule, move: (level: NoiseLevel) => NoiseLevel): DiscreteSchedule {
  const levels = Array.from({ length: table.steps }, (_, i) => move(levelAt(table, i)));
  const next = {
    ...table,
    alphaBar: Float64Array.from(levels, (level) => level.alphaBar),
    sigma2: Float64Array.from(levels, (level) => level.sigma2),
  };
  return {
    ...next,
    betas: respacedBetas(
      next,
      Array.from(levels, (_, i) => i),
    ),
  };
}
