// score: the token that the network proposes for a position, and how sure it is. All float64; ties to the lowest index.

import { argmax, type Choice, restricted, softmaxInto } from "../../../diffusion/discrete/choice.js";
import type { ScoreName } from "../../../diffusion/discrete/sampler-description.js";
import type { FloatArray } from "../../step-runner.js";

export interface Proposal {
  readonly token: number;
  /** The token of the largest logit; `token` where nothing is drawn. */
  readonly best: number;
  /** Larger is surer. */
  readonly score: number;
  /** -sum p ln p in nats, of the probabilities that the score is read from. */
  readonly entropy: number;
}

export interface ProposeOptions extends Choice {
  readonly score: ScoreName;
  readonly scoreFrom: "logits" | "choice";
  /** Tokens that are never proposed. */
  readonly suppressed: readonly number[];
  /** Draws a token from probabilities. */
  readonly draw: (p: Float64Array) => number;
  /** The number that stands for the score `random`. */
  readonly random: () => number;
  /** Where the position is in the text, for the score `position`. */
  readonly position: number;
}

/** The proposal from one position's logits. Temperature 0 takes the best token. */
export function propose(logits: FloatArray, options: ProposeOptions): Proposal {
  const { temperature = 0, score, scoreFrom, suppressed } = options;
  const allowed = Float64Array.from(logits);
  for (const token of suppressed) allowed[token] = Number.NEGATIVE_INFINITY;
  const plain = softmaxInto(allowed, 1, new Float64Array(allowed.length));
  const choice = restricted(
    softmaxInto(allowed, temperature || 1, new Float64Array(allowed.length)),
    options,
  );
  const best = argmax(allowed);
  const token = temperature === 0 ? best : options.draw(choice);
  const p = scoreFrom === "logits" ? plain : choice;
  return {
    token,
    best,
    score: scores[score](p, token, options),
    entropy: entropyOf(p),
  };
}

type Score = (p: Float64Array, token: number, options: ProposeOptions) => number;

const scores: Readonly<Record<ScoreName, Score>> = {
  random: (_, __, { random }) => random(),
  position: (_, __, { position }) => -position,
  probability: (p, token) => p[token]!,
  margin(p) {
    let [first, second] = [0, 0];
    for (const value of p) {
      if (value > first) [first, second] = [value, first];
      else if (value > second) second = value;
    }
    return first - second;
  },
  // Upstream's 1e-10 keeps ln finite; what it changes of a score is below 1e-8.
  neg_entropy: (p) => p.reduce((sum, value) => sum + value * Math.log(value + 1e-10), 0),
};

function entropyOf(p: Float64Array): number {
  return p.reduce((sum, value) => (value > 0 ? sum - value * Math.log(value) : sum), 0);
}
