// The rows of a plan: what a loop gives the network and the sampler's update at each step. Positions may stand at levels of
// their own (a schedule or a grid with a position axis); a row then holds one of each.

import type { NetworkScales } from "./network-scales.js";
import type { StepCoefficients } from "./samplers/sampler.js";

/** What the network is called with at one level. */
export interface LevelPoint {
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

/** What the network is called with at one visited step. */
export interface PlanPoint extends LevelPoint {
  /** Calls of the network before this one. */
  readonly step?: number;
  /** Where positions differ, the point of each, L of them; the numbers above are then their means. */
  readonly positions?: readonly LevelPoint[];
}

/** One update x_next = a x0 + b x + c x0_prev + s noise. */
export interface SamplerRow extends LevelPoint, StepCoefficients {
  /** 0 for the noisiest. */
  readonly step: number;
  readonly positions?: readonly (LevelPoint & StepCoefficients)[];
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

/** Everything a sampler loop needs besides the network. */
export interface SamplerPlan extends Classed {
  readonly rows: readonly SamplerRow[];
  /** Standard deviation of the initial x (1 for variance-preserving processes), the first churn included. */
  readonly initialNoiseScale: number;
  /** Where positions start at noise of their own, that of each; the number above is then their mean. */
  readonly initialNoiseScales?: readonly number[];
  /**
   * Where the tokens come from. `round`: N visited points are N updates, the last one to the clean end, and
   * the final x goes to the rounding head (Diffusion-LM). `denoise`: N points are N - 1 updates and one more
   * call of the network at the last point, `finalRow`, whose logits are the tokens (LangFlow). `decode`: as `round`, and
   * the final x leaves the standardisation of latents.
   */
  readonly final: "denoise" | "round" | "decode";
  readonly finalRow?: PlanPoint;
  /** Largest noise of an update, in standard deviations; absent: any. */
  readonly truncation?: number;
  /** True when given positions are noised to the level of each call; absent: they are clean. */
  readonly renoised?: true;
  /** True when some row has c != 0: the step needs the previous prediction. */
  readonly usesHistory: boolean;
}

/**
 * What the network takes at a visited level besides its state, by the names of its inputs, each as `make` makes it of one
 * number for all positions or one of each: numbers of the level, and whether there was a prediction before. Inputs with a row
 * per text or position take the numbers over and over.
 */
export function levelInputs<T>(
  point: Pick<PlanPoint, "step" | "level" | "priorScale" | "scales" | "positions">,
  make: (values: readonly number[], name: string) => T,
): Record<string, T> {
  const each = (point.positions ?? [point]).map(
    ({ level, priorScale, scales }): Readonly<Record<string, number>> => ({
      level,
      prior_scale: priorScale,
      ...scales,
      self_cond_mask: point.step === 0 ? 0 : 1,
    }),
  );
  return Object.fromEntries(
    Object.keys(each[0]!).map((name) => {
      const values = each.map((numbers) => numbers[name]!);
      // An input that is the same everywhere may have no place for more than one number.
      const alike = values.every((value) => value === values[0]);
      return [name, make(alike ? values.slice(0, 1) : values, name)];
    }),
  );
}

/** [a, b, c, s] of all positions, or those of each position one after the other. */
export function coefficientsOf(
  row: StepCoefficients & { readonly positions?: readonly StepCoefficients[] },
): readonly number[] {
  return (row.positions ?? [row]).flatMap(({ a, b, c, s }) => [a, b, c, s]);
}

/** The numbers over and over, up to `size` of them. */
export function repeated(values: readonly number[], size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => values[i % values.length]!);
}

/** The initial state of standard normal noise [B, L, dim]. */
export function initialState<A extends Float32Array | Float64Array>(
  {
    initialNoiseScale: scale,
    initialNoiseScales: each,
  }: Pick<SamplerPlan, "initialNoiseScale" | "initialNoiseScales">,
  noise: A,
  dim: number,
): A {
  const scaleAt = (i: number): number => (each ? each[Math.floor(i / dim) % each.length]! : scale);
  return noise.map((value, i) => scaleAt(i) * value) as A;
}
