// The sampler loop of simplex states, shared by every back end. With k the plan's `value`:
//
//   S_0 = k noise
//   logits = network(S), guided or not           (guided.ts)
//   x0 = k at the token that the projection takes of the logits, -k elsewhere
//   S <- a x0 + b S + s k noise                  a, b, s: the plan's row; full renoising has b = 0
//
// Given positions hold their clean x0 throughout. Noise of update i is draw i + 1 of the seed's normal numbers, the token
// of position p at update i draw i + 1 of its uniform ones, the token that self-conditioning sees draw N + 1 + i of N updates.
// All of it is float64.

import { argmax, drawFrom, restricted, softmaxInto } from "../../diffusion/discrete/choice.js";
import type { UniformSource } from "../../diffusion/discrete/draws.js";
import { simplexPlanOf } from "../../diffusion/plans.js";
import type { Projection } from "../../diffusion/simplex-plan.js";
import { simplexRunnerOf } from "../any-runner.js";
import { checkFinite } from "../finite.js";
import { type FixedTokens, fixedBatch, overwriteTokens } from "../fixed-positions.js";
import { argmaxRows, margins } from "../margins.js";
import type { FloatArray } from "../step-runner.js";
import type { Loop, TokenOptions, TokenState } from "../token-state.js";
import { type SimplexDraws, simplexDraws } from "./draws.js";
import { type SimplexAnswer, simplexNetwork } from "./guided.js";
import type { SimplexRunner } from "./simplex-runner.js";

/** What to generate, for the loop of simplex states. */
export interface SimplexOptions extends Omit<TokenOptions, "fixFrom"> {
  /** Sees every state and its logits [B, L, V] before the update; may change the logits. */
  readonly onLogits?: (logits: FloatArray, simplex: FloatArray) => void;
}

/** The loop of simplex states. */
export const simplexLoop: Loop = { generate: generateSimplex };

/**
 * Generate, yielding tokens after every update and the final ones. Throws `generate/noise-kind`, what `fixedBatch` and
 * `noiseSource` throw, the signal's reason, and what the runner throws.
 */
export async function* generateSimplex(
  any: Parameters<Loop["generate"]>[0],
  options: SimplexOptions,
): AsyncGenerator<TokenState, void, undefined> {
  const plan = simplexPlanOf(options.plan);
  const runner = simplexRunnerOf(any);
  const { batch = 1, signal, encoder, onLogits } = options;
  const { length, vocabulary } = runner;
  const draws = simplexDraws(options.noise, batch, runner, plan.truncation);
  const { normal: noise } = draws;
  const fixed = fixedBatch(options.fixed, batch, length, vocabulary);
  const of = plan.rows.length + 1;

  let simplex: Float64Array = Float64Array.from(
    noise(0),
    (value) => plan.initialNoiseScale * plan.value * value,
  );
  keepGiven(simplex, fixed, plan.value);
  let previous: FloatArray = new Float64Array(simplex.length);
  let x0: Float64Array = new Float64Array(simplex.length);
  const network = simplexNetwork(runner, plan);
  const call = async (level: number): Promise<SimplexAnswer> => {
    signal?.throwIfAborted();
    const answer = await network({
      batch,
      simplex,
      previous,
      level,
      fixedMask: fixed.mask,
      fixedTokens: fixed.tokens,
      ...(encoder && { encoder }),
    });
    onLogits?.(answer.logits, simplex);
    checkFinite(answer.logits);
    return answer;
  };

  for (const [i, row] of plan.rows.entries()) {
    const { logits, fedBack } = await call(row.level);
    const tokens = project(logits, plan.projection, runner, draws, i + 1);
    const predicted = onehot(tokens, vocabulary, plan.value);
    const drawn = row.s === 0 ? undefined : noise(i + 1);
    const [before, earlier] = [simplex, x0];
    simplex = predicted.map((value, at) => {
      const kept = (row.b && row.b * before[at]!) + (row.c && row.c * earlier[at]!);
      return row.a * value + kept + (drawn ? row.s * plan.value * drawn[at]! : 0);
    });
    keepGiven(simplex, fixed, plan.value);
    previous = plan.projectsBack
      ? onehot(
          project(fedBack, plan.projection, runner, draws, i + 1, plan.rows.length + 1 + i),
          vocabulary,
          plan.value,
        )
      : fedBack;
    x0 = predicted;
    const state: TokenState = { step: i + 1, of, done: false, tokens: overwriteTokens(tokens, fixed), row };
    if (await options.stop?.(state)) {
      yield { ...state, done: true };
      return;
    }
    yield state;
  }
  const logits = plan.finalRow === undefined ? simplex : (await call(plan.finalRow.level)).logits;
  yield {
    step: of,
    of,
    done: true,
    tokens: overwriteTokens(argmaxRows(logits, vocabulary), fixed),
    logits,
    margins: margins(logits, vocabulary),
  };
}

/** The token of every position that update `draw` starts from; with `again`, a draw of its own, the one that is fed back. */
function project(
  logits: FloatArray,
  projection: Projection,
  { length, vocabulary }: Pick<SimplexRunner, "length" | "vocabulary">,
  { uniform, chosen }: Pick<SimplexDraws, "chosen"> & { readonly uniform: UniformSource },
  draw: number,
  again?: number,
): Int32Array {
  const p = new Float64Array(vocabulary);
  return Int32Array.from({ length: logits.length / vocabulary }, (_, at) => {
    const [row, position] = [Math.floor(at / length), at % length];
    const given = chosen?.(draw, row, position, again === undefined ? undefined : "fed_back");
    if (given !== undefined) return given;
    const own = logits.subarray(at * vocabulary, (at + 1) * vocabulary);
    if (projection.kind === "argmax") return argmax(own);
    restricted(softmaxInto(own, projection.temperature ?? 1, p), projection);
    return drawFrom(p, (v) => uniform(again ?? draw, row, position, v));
  });
}

/** value at the token, -value elsewhere, [B, L, V]. */
function onehot(tokens: Int32Array, vocabulary: number, value: number): Float64Array {
  const x0 = new Float64Array(tokens.length * vocabulary).fill(-value);
  for (const [at, token] of tokens.entries()) x0[at * vocabulary + token] = value;
  return x0;
}

function keepGiven(simplex: Float64Array, { tokens, mask }: FixedTokens, value: number): void {
  const vocabulary = simplex.length / mask.length;
  for (const [at, given] of mask.entries())
    if (given === 1)
      simplex.subarray(at * vocabulary, (at + 1) * vocabulary).fill(-value)[tokens[at]!] = value;
}
