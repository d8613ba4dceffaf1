// The sampler plan: one row of float64 numbers per step, made once from the description. Every back end
// walks this table; none computes a coefficient of its own.

import { fail } from "../support/diagnostic.js";
import type { TransitionDescription } from "./discrete/matrices.js";
import type { TokenSamplerDescription } from "./discrete/sampler-description.js";
import type { RandomTokens } from "./discrete/token-process.js";
import type { TokenScheduleDescription } from "./discrete/token-schedule.js";
import { type GridPoint, levelBelow, resolveGrid, type TimestepsDescription } from "./grid.js";
import { joinPlans } from "./join-plans.js";
import { networkScales } from "./network-scales.js";
import { clean, type NoiseLevel, priorScale } from "./noise-level.js";
import { levelsDiffer, type Place, positionGrid } from "./position-grid.js";
import { type NoiseScheduleDescription, resolveSchedule, type ScheduleConstants } from "./resolve.js";
import type { ClassPlan, LevelPoint, SamplerPlan, SamplerRow } from "./rows.js";
import { bindSampler, type SamplerDescription } from "./samplers/index.js";
import type { Churn, StepCoefficients } from "./samplers/sampler.js";
import { type TimeInputDescription, timeInput } from "./time-input.js";

export {
  type Classed,
  type ClassPlan,
  coefficientsOf,
  levelInputs,
  type PlanPoint,
  repeated,
  type SamplerPlan,
  type SamplerRow,
} from "./rows.js";

/** The state space of a description, as far as the plan needs it. */
export interface StateSpaceDescription {
  readonly kind: string;
  readonly vocab_size?: number;
  /** Positions of a text; needed where they are at levels of their own. */
  readonly seq_len?: number;
  readonly mask_token_id?: number;
  /** Of a hybrid state. */
  readonly random_tokens?: RandomTokens;
  /** Of an absorbing state whose tokens are masked at different times. */
  readonly token_schedule?: TokenScheduleDescription;
  /** Of a matrix state. */
  readonly transition?: TransitionDescription;
  /** Of a simplex: the logit of the token in a clean state. */
  readonly value?: number;
}

/** The parts of a description that decide the plan. */
export interface SamplerParts {
  /** Continuous embeddings where it is left out; latents are sampled like them. */
  readonly state_space?: StateSpaceDescription;
  readonly noise_schedule: NoiseScheduleDescription;
  readonly timesteps: TimestepsDescription;
  readonly time_conditioning?: TimeInputDescription;
  readonly prediction_type?: {
    readonly x0_from?: "direct" | "softmax_embedding";
    readonly target?: string;
    readonly scale_by_sigma?: boolean;
  };
  /** Where input or output are scaled by the level. */
  readonly embedding?: { readonly data_std?: number; readonly input_preconditioning?: string };
  readonly sampler: SamplerDescription | TokenSamplerDescription;
  /** What a simplex state feeds back. */
  readonly self_conditioning?: { readonly signal?: string };
  /** How given positions are overwritten, clean where it is left out; and the classes of texts. */
  readonly conditioning?: { readonly kind: string; readonly mode?: string; readonly class?: ClassPlan };
}

/** Choices that are not in the description. */
export interface PlanOptions {
  /** Replaces the description's own number of steps. */
  readonly numSteps?: number;
  /** Schedule constants that come with the weights. */
  readonly constants?: ScheduleConstants;
}

/**
 * The plan of a description. Without `sampler.final` a network that predicts logits (x0_from
 * softmax_embedding) ends with `denoise`, another with `round`.
 * Throws what the parts throw (`schedule/...`, `timesteps/...`, `sampler/...`).
 */
export function planSampler(parts: SamplerParts, options: PlanOptions = {}): SamplerPlan {
  const length = positionsOf(parts);
  if (length === undefined) return planWalk(parts, options);
  return joinPlans(Array.from({ length }, (_, position) => planWalk(parts, options, { position, length })));
}

/** How many positions have levels of their own; undefined where all share one. Throws `sampler/no-length`. */
export function positionsOf({ state_space, noise_schedule, timesteps }: SamplerParts): number | undefined {
  if (!levelsDiffer(noise_schedule, timesteps)) return undefined;
  return (
    state_space?.seq_len ??
    fail("sampler/no-length", "positions have levels of their own, and nothing says how many there are", {
      pointer: "/state_space/seq_len",
    })
  );
}

/** The plan of a text at one level, or of one position. */
function planWalk(parts: SamplerParts, options: PlanOptions, place?: Place): SamplerPlan {
  const schedule = resolveSchedule(parts.noise_schedule, options.constants, place?.position);
  // The kind decides which of the two descriptions it is; `bindSampler` refuses the others.
  const described = parts.sampler as SamplerDescription;
  const sampler = bindSampler(described);
  const grid = place
    ? positionGrid(parts.timesteps, schedule, place, options.numSteps)
    : resolveGrid(parts.timesteps, schedule, options.numSteps);
  /** A position whose time stands still waits: the update leaves it as it is. */
  const waits = (step: number): boolean =>
    place !== undefined && grid[step]?.level.gamma === grid[step + 1]?.level.gamma;
  const scaling = {
    target: parts.prediction_type?.target ?? "x0",
    dataStd: parts.embedding?.data_std ?? 1,
    unitInput: parts.embedding?.input_preconditioning === "unit_variance",
  };
  const scaled = scaling.unitInput || scaling.target !== "x0";
  const point = (visited: GridPoint): LevelPoint => ({
    t: visited.t,
    ...(visited.index === undefined ? {} : { index: visited.index }),
    level: timeInput(parts.time_conditioning ?? {}, visited),
    priorScale: priorScale(visited.level),
    ...(scaled && { scales: networkScales(scaling, visited.level) }),
    ...visited.level,
  });
  const final =
    parts.state_space?.kind === "latent"
      ? "decode"
      : (described.final ?? (parts.prediction_type?.x0_from === "softmax_embedding" ? "denoise" : "round"));
  const updates = final === "denoise" ? grid.slice(0, -1) : grid;
  const levelAfter = (step: number): NoiseLevel =>
    described.next === "one_step"
      ? levelBelow(grid[step]!, schedule, grid.length)
      : (grid[step + 1]?.level ?? clean);
  const churns = updates.map(({ level }, step) =>
    step + 1 < updates.length && !waits(step) ? sampler.churn?.(level, levelAfter(step)) : undefined,
  );
  const rows = updates
    .flatMap((visited, i): Omit<SamplerRow, "step">[] => {
      const from = churned(visited, churns[i]);
      const to = levelAfter(i);
      const move = waits(i)
        ? standing
        : sampler.coefficients(from.level, to, waits(i - 1) ? undefined : grid[i - 1]?.level);
      const first = { ...point(from), ...withChurn(move, churns[i + 1]) };
      if (sampler.correction === undefined || to.sigma2 === 0) return [first];
      const correction = waits(i) ? standing : sampler.correction(from.level, to);
      return [first, { ...point(grid[i + 1]!), ...correction }];
    })
    .map((row, step) => ({ step, ...row }));
  // Noise of a preserving process has variance one with the signal that is still in it.
  const { family, process } = parts.noise_schedule;
  const preserves = process !== "variance_exploding" && family !== "flow";
  const start = preserves || grid[0] === undefined ? 1 : Math.sqrt(grid[0].level.sigma2);
  return {
    rows,
    initialNoiseScale: churns[0] === undefined ? start : Math.hypot(churns[0].keep * start, churns[0].noise),
    final,
    ...(final === "denoise" ? { finalRow: { step: rows.length, ...point(grid.at(-1)!) } } : {}),
    usesHistory: sampler.usesHistory,
    ...(parts.conditioning?.mode === "renoised" && { renoised: true }),
    ...((described.truncation ?? 0) > 0 ? { truncation: described.truncation! } : {}),
  };
}

/** The update of a position that waits. */
const standing: StepCoefficients = { a: 0, b: 1, c: 0, s: 0 };

/** The point that the network sees: alpha is the time of a sampler with churn. */
function churned(visited: GridPoint, churn: Churn | undefined): GridPoint {
  return churn === undefined ? visited : { t: 1 - Math.sqrt(churn.level.alphaBar), level: churn.level };
}

/**
 * The churn of the next step folded into this update, keep (a x0 + b x + c x0_prev + s e) + noise e', so that every
 * back end still makes one affine update per call of the network.
 */
function withChurn({ a, b, c, s }: StepCoefficients, next: Churn | undefined): StepCoefficients {
  if (next === undefined) return { a, b, c, s };
  const { keep, noise } = next;
  return { a: keep * a, b: keep * b, c: keep * c, s: Math.hypot(keep * s, noise) };
}
