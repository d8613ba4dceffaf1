// Samplers on a grid of times: at every time each free position draws its next token from weights
// (src/diffusion/discrete/samplers), one more call at the last time settles what is left, and
// where the sampler says so the text is revised. Under guidance of the step the weights are made of two answers of the
// network, else of one.

import { argmax, drawFrom } from "../../diffusion/discrete/choice.js";
import type { TokenRow } from "../../diffusion/discrete/points.js";
import { type Reading, readingOf } from "../../diffusion/discrete/reading.js";
import type { TokenSamplerDescription } from "../../diffusion/discrete/sampler-description.js";
import { guided, guideWeights } from "../../diffusion/discrete/samplers/guided.js";
import type { MakeTokenSampler } from "../../diffusion/discrete/samplers/index.js";
import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { absorbs, hasScores, isMasked } from "../../diffusion/discrete/token-process.js";
import { analyticWeights } from "../../diffusion/discrete/transitions.js";
import { bug } from "../../support/diagnostic.js";
import type { FloatArray } from "../step-runner.js";
import type { DecodeContext, Decoder, Update } from "./decoder.js";
import { mostRevisions, type selfCorrect } from "./self-correction.js";

/** What revises a drawn text. */
export type Revise = typeof selfCorrect;

/** The decoder of a sampler that draws from weights; `revise` for one that revises. */
export function gridDecoder(
  make: MakeTokenSampler,
  description: TokenSamplerDescription,
  revise?: Revise,
): Decoder {
  const guidance = stepGuidance(description);
  const sampler = make(description, (own) => (guidance === undefined ? own : guided(own, guidance)));
  return async function* decode(context) {
    const { plan, firstDraw } = context;
    const { process } = plan;
    const { vocabulary: n } = process;
    const reading = readingOf(process, plan.prediction, plan.sampler);
    const revisions = mostRevisions(plan);
    const of = plan.rows.length + (plan.final === "none" ? 0 : 1) + revisions;
    for (const [k, row] of plan.rows.entries()) {
      const answers = await ask(context, row.level);
      const read = new Float64Array(answers.length * n);
      const told = textRows(context, answers[0]!, reading, row);
      const weights = move(context, answers, firstDraw + k + 1, (positions, token, out, text) => {
        const at = told[text] ?? row;
        for (const [i, position] of positions.entries()) {
          const into = read.subarray(i * n, (i + 1) * n);
          if (sampler.reads === "probabilities") reading.probabilities(position, token, at, into);
          else exponentials(reading.logScores(position, token, at, into));
        }
        return sampler.weights(process, read, token, at, out);
      });
      yield { of, weights, point: row };
    }
    if (plan.final !== "none") yield { of, ...(await settled(context, reading)) };
    if (revisions > 0)
      yield* (revise ?? bug("this loop revises no text"))(context, firstDraw + plan.rows.length + 2, of);
  };
}

/** Guidance that weights are combined by. */
function stepGuidance({ guidance }: TokenSamplerDescription) {
  return guidance?.of === "step" ? guidance : undefined;
}

/** The network's answer, and without what is given where that is asked for too. */
async function ask(context: DecodeContext, level: number): Promise<FloatArray[]> {
  const { temperature } = context.plan.sampler;
  const logits = await context.score(level, temperature);
  return context.scoreFree === undefined ? [logits] : [logits, await context.scoreFree(level, temperature)];
}

/** The step as each text sees it, where the process asks for the text's mean information; else none. */
function textRows(
  { plan: { process }, batch, length, tokens }: DecodeContext,
  logits: FloatArray,
  reading: Reading,
  row: TokenRow,
): TokenRow[] {
  const of = process.kind === "per_token" ? process.information : undefined;
  if (of === undefined) return [];
  const n = process.vocabulary;
  const p = new Float64Array(n);
  return Array.from({ length: batch }, (_, text) => {
    let sum = 0;
    for (let at = text * length; at < (text + 1) * length; at++) {
      const token = tokens[at]!;
      const held = isMasked(process, token)
        ? argmax(reading.own(logits.subarray(at * n, (at + 1) * n), token, row, p))
        : token;
      sum += of[held]!;
    }
    const information = sum / length;
    return { ...row, information, to: { ...row.to, information } };
  });
}

/** The update of the call at the last time. */
async function settled(context: DecodeContext, reading: Reading): Promise<Omit<Update, "of">> {
  const { plan, firstDraw } = context;
  const { process, finalRow } = plan;
  const n = process.vocabulary;
  const answers = await ask(context, finalRow.level);
  if (plan.final === "argmax") {
    takeBest(context, answers, reading);
    return { point: finalRow };
  }
  const last = (position: FloatArray, token: number): Float64Array => {
    const out = new Float64Array(n);
    // Both states with scores take them to the clean end; it is p(x_0 | x_t) too, but for the network's own scale, and
    // but for a rounding error at tokens that a choice excludes: no weight to take the logarithm of.
    const open = process.kind !== "absorbing" || isMasked(process, token);
    if (!hasScores(process) || (answers.length > 1 && open))
      reading.probabilities(position, token, finalRow, out);
    else {
      const scores = reading.logScores(position, token, finalRow, new Float64Array(n));
      exponentials(scores);
      analyticWeights(process, scores, token, finalRow.totalNoise, out);
    }
    if (process.kind === "absorbing") out[process.mask] = 0;
    return out;
  };
  const weights = move(context, answers, firstDraw + plan.rows.length + 1, (positions, token, out) => {
    if (!hasScores(process) && absorbs(process) && !isMasked(process, token)) return false;
    out.set(
      joined(
        plan,
        positions.map((position) => last(position, token)),
      ),
    );
    return true;
  });
  return { point: finalRow, weights };
}

/** Weights of every answer, as one. */
function joined({ sampler }: TokenPlan, answers: readonly Float64Array[]): Float64Array {
  return answers.reduce((l, u) => guideWeights(sampler.guidance!, l, u));
}

/** The weights of a position's next token into `out`, from the logits there of every answer; false: it stays. */
type Weigh = (logits: readonly FloatArray[], token: number, out: Float64Array, text: number) => boolean;

/** Draws the next token of every free position; the weights of all positions come back. */
function move(
  context: DecodeContext,
  answers: readonly FloatArray[],
  draw: number,
  weigh: Weigh,
): Float64Array {
  const { tokens, free, batch, length, first, plan, uniform } = context;
  const n = plan.process.vocabulary;
  const all = new Float64Array(batch * length * n);
  // Weights are of the state before the update, so tokens are replaced only once every position has drawn.
  const next = tokens.slice();
  for (let at = 0; at < tokens.length; at++) {
    const weights = all.subarray(at * n, (at + 1) * n);
    const [row, position] = [Math.floor(at / length), at % length];
    const moves = weigh(positionsOf(answers, at, n), tokens[at]!, weights, row);
    if (!moves || free[at] !== 1) continue;
    next[at] = drawFrom(weights, (v) => uniform(draw, row, first + position, v));
  }
  tokens.set(next);
  return all;
}

/** The most probable clean token of every free position that is still noise. */
function takeBest(
  { tokens, free, plan }: DecodeContext,
  answers: readonly FloatArray[],
  reading: Reading,
): void {
  const n = plan.process.vocabulary;
  const into = answers.map(() => new Float64Array(n));
  for (let i = 0; i < tokens.length; i++) {
    if (free[i] !== 1) continue;
    const token = tokens[i]!;
    if (absorbs(plan.process) && !isMasked(plan.process, token)) continue;
    const own = positionsOf(answers, i, n).map((logits, k) =>
      reading.own(logits, token, plan.finalRow, into[k]!),
    );
    tokens[i] = argmax(joined(plan, own));
  }
}

function positionsOf(answers: readonly FloatArray[], at: number, n: number): FloatArray[] {
  return answers.map((logits) => logits.subarray(at * n, (at + 1) * n));
}

function exponentials(values: Float64Array): void {
  for (let v = 0; v < values.length; v++) values[v] = Math.exp(values[v]!);
}
