// What every sampling loop takes and gives when only the tokens are wanted.

import type { PlanPoint } from "../diffusion/plan.js";
import type { Plan } from "../diffusion/plans.js";
import type { Runner } from "./any-runner.js";
import type { TokenDraws } from "./discrete/driver.js";
import type { GenerateOptions } from "./driver.js";
import type { SimplexDraws } from "./simplex/draws.js";
import type { FloatArray, NoiseSource } from "./step-runner.js";

/** What to generate: `GenerateOptions` without what needs the state on the host. */
export type TokenOptions = Omit<GenerateOptions, "beforeStep" | "stop" | "plan" | "noise"> & {
  readonly plan: Plan;
  /** A seed (0 by default), or the numbers themselves: of the kind that the plan's state needs. */
  readonly noise?: number | bigint | NoiseSource | TokenDraws | SimplexDraws;
  /** false: with an exact cache the last state has margins alone, and no [B, L, V] logits are kept until then. */
  readonly keepLogits?: boolean;
  /** Ends sampling early: the tokens are then those of the state it answered `true` to. */
  readonly stop?: (state: TokenState) => boolean | Promise<boolean>;
};

/** Where a generation stands after a step. */
export interface TokenState {
  /** 1 after the first update; equals `of` in the last state. */
  readonly step: number;
  readonly of: number;
  readonly done: boolean;
  /** The best tokens so far, [B, L]; of latents there are none before the final state, and then those of a decoder. */
  readonly tokens: Int32Array;
  /** The row of the plan that led here; absent in the final state. */
  readonly row?: Pick<PlanPoint, "t" | "alphaBar">;
  /** Final state only, of latents: as the autoencoder made them, [B, L, d]. */
  readonly latents?: FloatArray;
  /** Final state only, where the compiled graph gives logits [B, L, V]; with an exact cache NaN behind the last block computed. */
  readonly logits?: FloatArray;
  /** With logits: how far the best logit of each position is above the second, [B, L]. */
  readonly margins?: FloatArray;
}

/** A sampling loop: of continuous states, of discrete ones, or of both. */
export interface Loop {
  /** Tokens after every update and the final ones. Throws `generate/noise-kind` for noise of the other kind of state. */
  generate(runner: Runner, options: TokenOptions): AsyncGenerator<TokenState, void, undefined>;
}
