// Self-correction: a finished text is revised at one noise level, a few tokens a step, towards a fixed point of the network
// (von Rütte et al. 2025, GIDD). In every row, on its own:
//   propose   a token for every free position, drawn from softmax(logits / temperature)
//   replace   of the proposals that differ from what stands, the most probable ones, ties to the earlier position
//   stop      none differs; or the number of positions that hold the network's best token has not risen for `patience`
//             steps, and then the step that showed it is not made; or the steps are over

import { argmax, drawFrom, softmaxInto } from "../../diffusion/discrete/choice.js";
import { neverClean } from "../../diffusion/discrete/reading.js";
import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import type { FloatArray } from "../step-runner.js";
import type { DecodeContext, Update } from "./decoder.js";

/** What a row of the batch remembers between steps. */
interface Revision {
  /** Most positions that held the network's best token. */
  most: number;
  /** Steps since then. */
  waited: number;
  done: boolean;
}

/** Most steps of a plan's self-correction; 0 without one. */
export function mostRevisions({ sampler: { self_correction: correction } }: TokenPlan): number {
  return correction === undefined ? 0 : (correction.max_steps ?? 128);
}

/** Revises the free tokens; `draw` is the first draw to use, `of` the updates of the block in all. */
export async function* selfCorrect(
  context: DecodeContext,
  draw: number,
  of: number,
): AsyncGenerator<Update, void, undefined> {
  const { plan, batch } = context;
  const { temperature = 0.1 } = plan.sampler.self_correction!;
  const rows = Array.from({ length: batch }, (): Revision => ({ most: 0, waited: 0, done: false }));
  for (let step = 0; step < mostRevisions(plan); step++) {
    const logits = await context.score(plan.revisedAt!.level, temperature);
    for (const [row, revision] of rows.entries())
      if (!revision.done) revise(context, { row, revision, draw: draw + step, logits, temperature });
    if (rows.every(({ done }) => done)) return;
    yield { of, point: plan.revisedAt! };
  }
}

interface StepOfRow {
  readonly row: number;
  readonly revision: Revision;
  readonly draw: number;
  readonly logits: FloatArray;
  readonly temperature: number;
}

/** One step of one row. */
function revise(context: DecodeContext, { row, revision, draw, logits, temperature }: StepOfRow): void {
  const { plan, tokens, free, length, first, uniform } = context;
  const { tokens_per_step: most = 1, patience = 32 } = plan.sampler.self_correction!;
  const n = plan.process.vocabulary;
  const mask = neverClean(plan.process, false);
  const p = new Float64Array(n);
  const best = new Map<number, number>();
  const proposed: { readonly at: number; readonly token: number; readonly chance: number }[] = [];
  for (let i = 0; i < length; i++) {
    const at = row * length + i;
    if (free[at] !== 1) continue;
    softmaxInto(logits.subarray(at * n, (at + 1) * n), temperature, p, mask);
    best.set(at, argmax(p));
    const token = drawFrom(p, (v) => uniform(draw, row, first + i, v));
    if (token !== tokens[at]) proposed.push({ at, token, chance: p[token]! });
  }
  const taken = new Map(
    proposed
      .sort((a, b) => b.chance - a.chance)
      .slice(0, most)
      .map(({ at, token }) => [at, token]),
  );
  let agreed = 0;
  for (const [at, token] of best) if ((taken.get(at) ?? tokens[at]) === token) agreed++;
  revision.waited = agreed > revision.most ? 0 : revision.waited + 1;
  revision.most = Math.max(revision.most, agreed);
  revision.done = taken.size === 0 || revision.waited > patience;
  if (!revision.done) for (const [at, token] of taken) tokens[at] = token;
}
