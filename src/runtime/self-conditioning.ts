// What a self-conditioned network of tokens takes of the call before, beside the logits themselves.

import type { FloatArray } from "./step-runner.js";
import type { PreviousLogits } from "./token-runner.js";

/** The port of @denoise that takes the logits. */
export const previousPort = "self_cond_logits";

/** By the names of its other ports, [B]; what is given a network without them is passed over. */
export function previousRows(
  previous: PreviousLogits | undefined,
  batch: number,
): { readonly self_cond_mask: Uint8Array; readonly self_cond_scale: FloatArray } {
  return {
    self_cond_mask: new Uint8Array(batch).fill(previous ? 1 : 0),
    self_cond_scale: new Float64Array(batch).fill(1 / (previous?.temperature ?? 1)),
  };
}
