// Self-correction: a finished text is revised at one noise level, a few tokens a step, towards a fixed point of the network
// (von Rütte et al. 2025, GIDD). In every text, on its own:
//   propose   a token for every free position, drawn from softmax(logits / temperature)
//   replace   of the proposals that differ from what stands, the most probable ones, ties to the earlier position
//   stop      none differs; or the number of positions that hold the network's best token has not risen for `patience`
//             steps, and then the step that showed it is not made; or the steps are over

import { argmax, drawFrom, softmaxInto } from "./choice.js";
import type { TokenPoint } from "./points.js";
import type { SelfCorrectionDescription } from "./sampler-description.js";
import type { TokenProcess } from "./token-process.js";

/** One text in the network's eyes. */
export interface RevisedText {
  /** [L]; changed in place. */
  readonly tokens: Int32Array;
  /** 1 where a token may change, [L]. */
  readonly free: Uint8Array;
  /** [L, V]. */
  readonly logits: Float32Array | Float64Array;
  readonly uniform: (position: number, category: number) => number;
}

/** What is remembered of a text between steps. */
export interface RevisionState {
  /** Most positions that held the network's best token. */
  readonly most: number;
  /** Steps since then. */
  readonly waited: number;
  readonly done: boolean;
}

/** Self-correction as a plan has it. */
export interface Revision {
  /** What the network is told. */
  readonly point: TokenPoint;
  readonly temperature: number;
  readonly maxSteps: number;
  /** Makes a step of one text; without a state, the first. */
  revise(text: RevisedText, state?: RevisionState): RevisionState;
}

/** The self-correction of a description, at a point. */
export function revisionOf(
  {
    temperature = 0.1,
    max_steps = 128,
    tokens_per_step: count = 1,
    patience = 32,
  }: SelfCorrectionDescription,
  process: TokenProcess,
  point: TokenPoint,
): Revision {
  const mask = process.kind === "hybrid" ? process.mask : undefined;
  return {
    point,
    temperature,
    maxSteps: max_steps,
    revise({ tokens, free, logits, uniform }, { most, waited } = { most: 0, waited: 0, done: false }) {
      const n = process.vocabulary;
      const p = new Float64Array(n);
      const best = new Map<number, number>();
      const proposed: { readonly i: number; readonly token: number; readonly chance: number }[] = [];
      for (let i = 0; i < tokens.length; i++) {
        if (free[i] !== 1) continue;
        softmaxInto(logits.subarray(i * n, (i + 1) * n), temperature, p, mask);
        best.set(i, argmax(p));
        const token = drawFrom(p, (v) => uniform(i, v));
        if (token !== tokens[i]) proposed.push({ i, token, chance: p[token]! });
      }
      proposed.sort((a, b) => b.chance - a.chance);
      const taken = new Map(proposed.slice(0, count).map(({ i, token }) => [i, token]));
      let agreed = 0;
      for (const [i, token] of best) if ((taken.get(i) ?? tokens[i]) === token) agreed++;
      const since = agreed > most ? 0 : waited + 1;
      const done = taken.size === 0 || since > patience;
      if (!done) for (const [i, token] of taken) tokens[i] = token;
      return { most: Math.max(most, agreed), waited: since, done };
    },
  };
}
