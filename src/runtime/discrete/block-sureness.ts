// How sure the network was of a text that was computed in blocks: the logits that a call for all positions would have given
// last. A settled position's are those of the call that settled it, since no later one would have changed them.

import { margins } from "../margins.js";
import type { FloatArray } from "../step-runner.js";
import type { Sureness, ViewSource } from "./views.js";

/** Collects logits of blocks. */
export interface BlockSureness {
  /** Takes the logits [B, s, V] of the positions from `first` on. Those from `count` on may be taken again. */
  take(logits: FloatArray, first: number, count: number): void;
  /** Of all positions taken; NaN at the others. */
  all(): Sureness;
}

/** Nothing taken yet. Without `keepLogits` only margins are collected. */
export function blockSureness({ runner, batch, keepLogits }: ViewSource, size: number): BlockSureness {
  const { length, vocabulary } = runner;
  const empty = (like: FloatArray, width: number): FloatArray =>
    (like instanceof Float64Array
      ? new Float64Array(batch * length * width)
      : new Float32Array(batch * length * width)
    ).fill(Number.NaN);
  let logits: FloatArray | undefined;
  let sure: FloatArray | undefined;
  return {
    take(block, first, count) {
      if (keepLogits) logits ??= empty(block, vocabulary);
      sure ??= empty(block, 1);
      const rows = Math.min(count, length - first);
      for (let b = 0; b < batch; b++) {
        const own = block.subarray(b * size * vocabulary, (b * size + rows) * vocabulary);
        logits?.set(own, (b * length + first) * vocabulary);
        sure.set(margins(own, vocabulary), b * length + first);
      }
    },
    all: () => ({ ...(logits && { logits }), ...(sure && { margins: sure }) }),
  };
}
