// The visited times of a discrete process, with everything a sampler reads at them.

import type { LevelPoint } from "../rows.js";
import type { FlowRates } from "./flow-rates.js";
import type { TokenLevel } from "./token-process.js";

/** A visited time of a discrete process. */
export interface TokenPoint extends Omit<LevelPoint, "priorScale">, TokenLevel {
  /** -ln alpha_bar. */
  readonly totalNoise: number;
}

/** What the sampler of a step reads of it; which members are there depends on the sampler. */
export interface StepNumbers {
  /** tau_leaping: d totalNoise / dt at the step's start. */
  readonly rate?: number;
  /** psi: share of the ancestral step. */
  readonly kappa?: number;
  /** discrete_flow. */
  readonly flow?: FlowRates;
}

/** One update, from this point to a cleaner one. */
export interface TokenRow extends TokenPoint, StepNumbers {
  /** 0 for the noisiest. */
  readonly step: number;
  readonly to: TokenPoint;
}
