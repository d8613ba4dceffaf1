// Samplers on a grid of times: at every time each free position draws its next token from weights
// (src/diffusion/discrete/samplers), one more call at the last time settles what is left, and
// where the sampler says so the text is revised.

import { argmax, drawFrom } from "../../diffusion/discrete/choice.js";
import { type Reading, readingOf } from "../../diffusion/discrete/reading.js";
import type { TokenSampler } from "../../diffusion/discrete/samplers/sampler.js";
import { hasScores, isMasked, type TokenLevel } from "../../diffusion/discrete/token-process.js";
import { analyticWeights } from "../../diffusion/discrete/transitions.js";
import type { FloatArray } from "../step-runner.js";
import type { DecodeContext, Decoder, Update } from "./decoder.js";
import { mostRevisions, selfCorrect } from "./self-correction.js";

/** The decoder of a sampler that draws from weights. */
export function gridDecoder(sampler: TokenSampler): Decoder {
  return async function* decode(context) {
    const { plan, firstDraw } = context;
    const { process } = plan;
    const reading = readingOf(process, plan.prediction, plan.sampler);
    const revisions = mostRevisions(plan);
    const of = plan.rows.length + (plan.final === "none" ? 0 : 1) + revisions;
    const read = new Float64Array(process.vocabulary);
    for (const [k, row] of plan.rows.entries()) {
      const logits = await context.score(row.level, plan.sampler.temperature);
      const weights = move(context, logits, firstDraw + k + 1, (position, token, out) => {
        if (sampler.reads === "probabilities") reading.probabilities(position, token, row, read);
        else exponentials(reading.logScores(position, token, row, read));
        return sampler.weights(process, read, token, row, out);
      });
      yield { of, weights, point: row };
    }
    if (plan.final !== "none") yield { of, ...(await settled(context, reading)) };
    if (revisions > 0) yield* selfCorrect(context, firstDraw + plan.rows.length + 2, of);
  };
}

/** The update of the call at the last time. */
async function settled(context: DecodeContext, reading: Reading): Promise<Omit<Update, "of">> {
  const { plan, firstDraw } = context;
  const { process, finalRow } = plan;
  const read = new Float64Array(process.vocabulary);
  const logits = await context.score(finalRow.level, plan.sampler.temperature);
  let weights: Float64Array | undefined;
  if (plan.final === "argmax") takeBest(context, logits, reading, finalRow);
  else
    weights = move(context, logits, firstDraw + plan.rows.length + 1, (position, token, out) => {
      // Both states with scores take them to the clean end; it is p(x_0 | x_t) too, but for the network's own scale.
      if (!hasScores(process)) reading.probabilities(position, token, finalRow, out);
      else {
        exponentials(reading.logScores(position, token, finalRow, read));
        analyticWeights(process, read, token, finalRow.totalNoise, out);
        if (process.kind === "absorbing") out[process.mask] = 0;
      }
      return true;
    });
  return { point: finalRow, ...(weights && { weights }) };
}

type Weigh = (logits: FloatArray, token: number, out: Float64Array) => boolean;

/** Draws the next token of every free position; the weights of all positions come back. */
function move(context: DecodeContext, logits: FloatArray, draw: number, weigh: Weigh): Float64Array {
  const { tokens, free, batch, length, first, plan, uniform } = context;
  const n = plan.process.vocabulary;
  const all = new Float64Array(batch * length * n);
  // Weights are of the state before the update, so tokens are replaced only once every position has drawn.
  const next = tokens.slice();
  for (let at = 0; at < tokens.length; at++) {
    const weights = all.subarray(at * n, (at + 1) * n);
    const moves = weigh(logits.subarray(at * n, (at + 1) * n), tokens[at]!, weights);
    if (!moves || free[at] !== 1) continue;
    const [row, position] = [Math.floor(at / length), at % length];
    next[at] = drawFrom(weights, (v) => uniform(draw, row, first + position, v));
  }
  tokens.set(next);
  return all;
}

/** The most probable clean token of every free position that is still noise. */
function takeBest(
  { tokens, free, plan }: DecodeContext,
  logits: FloatArray,
  reading: Reading,
  at: TokenLevel,
): void {
  const n = plan.process.vocabulary;
  const p = new Float64Array(n);
  for (let i = 0; i < tokens.length; i++) {
    if (free[i] !== 1) continue;
    const settled = plan.process.kind === "absorbing" && !isMasked(plan.process, tokens[i]!);
    if (settled) continue;
    tokens[i] = argmax(reading.own(logits.subarray(i * n, (i + 1) * n), tokens[i]!, at, p));
  }
}

function exponentials(values: Float64Array): void {
  for (let v = 0; v < values.length; v++) values[v] = Math.exp(values[v]!);
}
