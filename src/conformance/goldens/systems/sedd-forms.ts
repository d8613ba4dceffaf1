// SEDD's closed forms of both graphs at in.x: rates, staggered scores and transitions, row by row.

import type { ScoredProcess } from "../../../diffusion/discrete/token-process.js";
import {
  reverseRate,
  staggeredScore,
  transposedRate,
  transposedTransition,
} from "../../../diffusion/discrete/transitions.js";
import { bug } from "../../../support/diagnostic.js";
import type { Computed } from "../compare.js";
import { type GoldenCase, hasTensor, numberOption, tensorOf } from "../golden-case.js";

/** Tokens with the mask of the absorbing graph. */
export function processOf(golden: GoldenCase): ScoredProcess {
  const n = numberOption(golden, "n") ?? bug("the case does not say its number of tokens");
  const absorbing = golden.options.get("graph") !== "uniform";
  return absorbing ? { kind: "absorbing", vocabulary: n, mask: n - 1 } : { kind: "uniform", vocabulary: n };
}

/** Rates, staggered scores and transitions at in.x, row by row. */
export function closedForms(golden: GoldenCase): Computed[] {
  if (!hasTensor(golden, "in.x")) return [];
  const process = processOf(golden);
  const n = process.vocabulary;
  const tokens = tensorOf(golden, "in.x");
  const scores = tensorOf(golden, "in.score").data;
  const steps = tensorOf(golden, "in.dsigma").data;
  const length = tokens.shape[1]!;
  const everywhere = (
    of: (s: Float64Array, x: number, d: number, out: Float64Array) => void,
  ): Float64Array => {
    const all = new Float64Array(scores.length);
    for (const [at, x] of tokens.data.entries()) {
      const row = [at * n, (at + 1) * n] as const;
      of(scores.subarray(...row), x, steps[Math.floor(at / length)]!, all.subarray(...row));
    }
    return all;
  };
  const forms: Readonly<Record<string, Float64Array>> = {
    transp_rate: everywhere((_, x, __, out) => transposedRate(process, x, out)),
    reverse_rate: everywhere((s, x, _, out) => reverseRate(process, s, x, out)),
    staggered_score: everywhere((s, _, d, out) => staggeredScore(process, s, d, out)),
    transp_transition: everywhere((_, x, d, out) => transposedTransition(process, x, d, out)),
  };
  return Object.entries(forms)
    .map(([name, reference]) => ({ name: `out.${name}`, reference }))
    .filter(({ name }) => hasTensor(golden, name));
}
