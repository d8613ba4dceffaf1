// What a sampler of discrete states is: the weights with which one position's next token is drawn.

import type { TokenRow } from "../points.js";
import type { TokenProcess } from "../token-process.js";

export interface TokenSampler {
  readonly name: string;
  /** Which reading of the network's output the weights are made of. */
  readonly reads: "probabilities" | "scores";
  /**
   * Weights of the next token into `out`; they need not sum to one. False: the token stays as it is, and nothing is
   * drawn.
   */
  weights(
    process: TokenProcess,
    reading: Float64Array,
    token: number,
    row: TokenRow,
    out: Float64Array,
  ): boolean;
}
