// The sampler plan: one row of float64 numbers per step, made once from the description. Every back end
// walks this table; none computes a coefficient of its own.

import type { TransitionDescription } from "./discrete/matrices.js";
import type { TokenSamplerDescription } from "./discrete/sampler-description.js";
import type { RandomTokens } from "./discrete/token-process.js";
import type { TokenScheduleDescription } from "./discrete/token-schedule.js";
import { type GridPoint, levelBelow, resolveGrid, type TimestepsDescription } from "./grid.js";
import { type NetworkScales, networkScales } from "./network-scales.js";
import { clean, type NoiseLevel, priorScale } from "./noise-level.js";
import { type NoiseScheduleDescription, resolveSchedule } from "./resolve.js";
import { bindSampler, type SamplerDescription } from "./samplers/index.js";
import type { Churn, StepCoefficients } from "./samplers/sampler.js";
import { type TimeInputDescription, timeInput } from "./time-input.js";

/** The state space of a description, as far as the plan needs it. */
export interface StateSpaceDescription {
  readonly kind: string;
  readonly vocab_size?: number;
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
  /** Continuous embeddings where it is left out. */
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

/** The classes that a network knows. */
export interface ClassPlan {
  readonly count: number;
  /** Whether the number `count` stands for no class. */
  readonly null_class: boolean;
}

/** What a plan says of classes. */
export interface Classed {
  /** Absent where the network is told none. */
  readonly classes?: ClassPlan;
}

/** What the network is called with at one visited level. */
export interface PlanPoint {
  /** The time in [0, 1] or the quantile. */
  readonly t: number;
  /** The trained index, when the schedule is a table. */
  readonly index?: number;
  /** The number the time features take. */
  readonly level: number;
  /** alpha / sigma^2. */
  readonly priorScale: number;
  /** Factors between state and network, where the description has any. */
  readonly scales?: NetworkScales;
  readonly alphaBar: number;
  readonly sigma2: number;
  readonly gamma: number;
}

/** What the network takes at a visited level besides its state, by the names of its inputs, each as `make` makes it. */
export function levelInputs<T>(
  { level, priorScale, scales }: Pick<PlanPoint, "level" | "priorScale" | "scales">,
  make: (value: number, name: string) => T,
): Record<string, T> {
  const numbers = { level, prior_scale: priorScale, ...scales };
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, make(value, name)]));
}

/** One update x_next = a x0 + b x + c x0_prev + s noise. */
export interface SamplerRow extends PlanPoint, StepCoefficients {
  /** 0 for the noisiest. */
  readonly step: number;
}

/** Everything a sampler loop needs besides the network. */
export interface SamplerPlan extends Classed {
  readonly rows: readonly SamplerRow[];
  /** Standard deviation of the initial x (1 for variance-preserving processes), the first churn included. */
  readonly initialNoiseScale: number;
  /**
   * Where the tokens come from. `round`: N visited points are N updates, the last one to the clean end, and
   * the final x goes to the rounding head (Diffusion-LM). `denoise`: N points are N - 1 updates and one more
   * call of the network at the last point, `finalRow`, whose logits are the tokens (LangFlow).
   */
  readonly final: "denoise" | "round";
  readonly finalRow?: PlanPoint;
  /** Largest noise of an update, in standard deviations; absent: any. */
  readonly truncation?: number;
  /** True when given positions are noised to the level of each call; absent: they are clean. */
  readonly renoised?: true;
  /** True when some row has c != 0: the step needs the previous prediction. */
  readonly usesHistory: boolean;
}

/** Choices that are not in the description. */
export interface PlanOptions {
  /** Replaces the description's own number of steps. */
  readonly numSteps?: number;
  /** Schedule constants that come with the weights. */
  readonly constants?: Readonly<Record<string, number | readonly number[]>>;
}

/**
 * The plan of a description. Without `sampler.final` a network that predicts logits (x0_from
 * softmax_embedding) ends with `denoise`, another with `round`.
 * Throws what the parts throw (`schedule/...`, `timesteps/...`, `sampler/...`).
 */
export function planSampler(parts: SamplerParts, options: PlanOptions = {}): SamplerPlan {
  const schedule = resolveSchedule(parts.noise_schedule, options.constants);
  // The kind decides which of the two descriptions it is; `bindSampler` refuses the others.
  const described = parts.sampler as SamplerDescription;
  const sampler = bindSampler(described);
  const grid = resolveGrid(parts.timesteps, schedule, options.numSteps);
  const scaling = {
    target: parts.prediction_type?.target ?? "x0",
    dataStd: parts.embedding?.data_std ?? 1,
    unitInput: parts.embedding?.input_preconditioning === "unit_variance",
  };
  const scaled = scaling.unitInput || scaling.target !== "x0";
  const point = (visited: GridPoint): PlanPoint => ({
    t: visited.t,
    ...(visited.index === undefined ? {} : { index: visited.index }),
    level: timeInput(parts.time_conditioning ?? {}, visited),
    priorScale: priorScale(visited.level),
    ...(scaled && { scales: networkScales(scaling, visited.level) }),
    ...visited.level,
  });
  const final =
    described.final ?? (parts.prediction_type?.x0_from === "softmax_embedding" ? "denoise" : "round");
  const updates = final === "round" ? grid : grid.slice(0, -1);
  const levelAfter = (step: number): NoiseLevel =>
    described.next === "one_step"
      ? levelBelow(grid[step]!, schedule, grid.length)
      : (grid[step + 1]?.level ?? clean);
  const churns = updates.map(({ level }, step) =>
    step + 1 < updates.length ? sampler.churn?.(level, levelAfter(step)) : undefined,
  );
  const rows = updates
    .flatMap((visited, i): Omit<SamplerRow, "step">[] => {
      const from = churned(visited, churns[i]);
      const to = levelAfter(i);
      const move = sampler.coefficients(from.level, to, grid[i - 1]?.level);
      const first = { ...point(from), ...withChurn(move, churns[i + 1]) };
      if (sampler.correction === undefined || to.sigma2 === 0) return [first];
      return [first, { ...point(grid[i + 1]!), ...sampler.correction(from.level, to) }];
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
    ...(final === "denoise" ? { finalRow: point(grid.at(-1)!) } : {}),
    usesHistory: sampler.usesHistory,
    ...(parts.conditioning?.mode === "renoised" && { renoised: true }),
    ...((described.truncation ?? 0) > 0 ? { truncation: described.truncation! } : {}),
  };
}

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
