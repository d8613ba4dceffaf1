// How sure an argmax is: positions with a small margin are where two correct back ends may differ.

import type { FloatArray } from "./step-runner.js";

/** The largest minus the second largest of every `vocabulary` logits, in order; 0 is an exact tie. */
export function margins(logits: FloatArray, vocabulary: number): FloatArray {
  const result = logits.slice(0, logits.length / vocabulary);
  for (let i = 0; i < result.length; i++) {
    let first = Number.NEGATIVE_INFINITY;
    let second = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < vocabulary; v++) {
      const value = logits[i * vocabulary + v]!;
      if (value > first) {
        second = first;
        first = value;
      } else if (value > second) second = value;
    }
    result[i] = first - second;
  }
  return result;
}

/** The index of the largest of every `vocabulary` logits; the lowest index on a tie. */
export function argmaxRows(logits: FloatArray, vocabulary: number): Int32Array {
  const tokens = new Int32Array(logits.length / vocabulary);
  for (let i = 0; i < tokens.length; i++)
    for (let v = 1; v < vocabulary; v++)
      if (logits[i * vocabulary + v]! > logits[i * vocabulary + tokens[i]!]!) tokens[i] = v;
  return tokens;
}
