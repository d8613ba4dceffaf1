// The loop of self-correction: one call of the network for all texts, and a step of each that is not done. Its rule comes with
// the plan (src/diffusion/discrete/revise.ts).

import type { RevisionState } from "../../diffusion/discrete/revise.js";
import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import type { DecodeContext, Update } from "./decoder.js";

/** Most steps of a plan's self-correction; 0 without one. */
export function mostRevisions({ revision }: TokenPlan): number {
  return revision?.maxSteps ?? 0;
}

/** Revises the free tokens; `draw` is the first draw to use, `of` the updates of the block in all. */
export async function* selfCorrect(
  { plan: { revision, process }, score, tokens, free, batch, length, first, uniform }: DecodeContext,
  draw: number,
  of: number,
): AsyncGenerator<Update, void, undefined> {
  const states = new Array<RevisionState | undefined>(batch).fill(undefined);
  for (let step = 0; revision !== undefined && step < revision.maxSteps; step++) {
    const logits = await score(revision.point.level, revision.temperature);
    for (const [row, state] of states.entries()) {
      if (state?.done) continue;
      const [from, to] = [row * length, (row + 1) * length];
      const text = {
        tokens: tokens.subarray(from, to),
        free: free.subarray(from, to),
        logits: logits.subarray(from * process.vocabulary, to * process.vocabulary),
        uniform: (i: number, v: number) => uniform(draw + step, row, first + i, v),
      };
      states[row] = revision.revise(text, state);
    }
    if (states.every((state) => state?.done)) return;
    yield { of, point: revision.point };
  }
}
