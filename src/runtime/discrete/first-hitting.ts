// First-hitting sampling of absorbing states (Zheng et al. 2024, "Masked Diffusion Models are Secretly Time-Agnostic
// Masked Models and Exploit Inaccurate Categorical Sampling"; BD3-LM). With n masked positions and move chance t, the
// time at which the next of them is uncovered is t u^(1/n): the largest of n independent uniform times below t. Which
// one it is, is uniform; its token is drawn from the network's prediction at that time.
//
// Draw k of the block: category 0 at position 0 is u of the time, category 1 chooses the position, and the categories
// at the chosen position weigh its token (draw k counts 2 per update: 2 k for the first two, 2 k + 1 for the token).

import { drawFrom } from "../../diffusion/discrete/choice.js";
import { readingOf } from "../../diffusion/discrete/reading.js";
import { isMasked } from "../../diffusion/discrete/token-process.js";
import { levelFromPowers } from "../../diffusion/noise-level.js";
import type { DecodeContext, Decoder, Decoders } from "./decoder.js";

/** Positions of a row that are free and masked. */
function maskedPositions({ plan, tokens, free, length }: DecodeContext, row: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < length; i++)
    if (free[row * length + i] === 1 && isMasked(plan.process, tokens[row * length + i]!)) found.push(i);
  return found;
}

/** Uncovers one position of every row at a time. */
export const firstHitting: Decoder = async function* decode(context) {
  const { plan, batch, length, first, tokens, uniform, firstDraw } = context;
  const reading = readingOf(plan.process, plan.prediction, plan.sampler);
  const n = plan.process.vocabulary;
  const p = new Float64Array(n);
  const times = new Array<number>(batch).fill(1);
  const of = Math.max(...times.map((_, row) => maskedPositions(context, row).length));
  for (let k = 0; k < of; k++) {
    const masked = times.map((_, row) => maskedPositions(context, row));
    for (let row = 0; row < batch; row++)
      if (masked[row]!.length > 0)
        times[row]! *= uniform(firstDraw + 2 * k, row, 0, 0) ** (1 / masked[row]!.length);
    // Its plan is never a table (diffusion/plan-table.ts).
    const levels = times.map((t) => plan.levelAt!(t));
    const logits = await context.score(levels, plan.sampler.temperature);
    for (let row = 0; row < batch; row++) {
      const among = masked[row]!;
      if (among.length === 0) continue;
      const position = among[Math.floor(uniform(firstDraw + 2 * k, row, 0, 1) * among.length)]!;
      const at = row * length + position;
      const level = levelFromPowers(1 - times[row]!, times[row]!);
      reading.probabilities(logits.subarray(at * n, (at + 1) * n), tokens[at]!, level, p);
      if (plan.process.kind === "absorbing") p[plan.process.mask] = 0;
      tokens[at] = drawFrom(p, (v) => uniform(firstDraw + 2 * k + 1, row, first + position, v));
    }
    yield { of };
  }
};

export const hittingDecoders: Decoders = { first_hitting: () => firstHitting };
