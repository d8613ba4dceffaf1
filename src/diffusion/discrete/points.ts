// The visited times of a discrete process, with everything a sampler reads at them.

import type { LevelPoint } from "../rows.js";
import type { FlowRates } from "./flow-rates.js";
import type { TokenLevel } from "./token-process.js";

/** A visited time of a discrete process. */
export interface TokenPoint extends Omit<LevelPoint, "priorScale">, TokenLevel {
  /** -ln alpha_bar. */
  readonly totalNoise: number;
}

/** One update, from this point to a cleaner one. */
export interface TokenRow extends TokenPoint {
  /** 0 for the noisiest. */
  readonly step: number;
  readonly to: TokenPoint;
  /** d totalNoise / dt at this point; NaN where the schedule has none. */
  readonly rate: number;
  /** Of the sampler discrete_flow. */
  readonly flow?: FlowRates;
}
