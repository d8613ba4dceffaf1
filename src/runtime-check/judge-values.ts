// All values of one run judged in order, so that what follows from a near tie is known to.

import { type Graph, present, type Value } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";
import type { Prediction } from "./predict.js";
import { predictedFactors } from "./tolerance.js";
import { judge, predictedAllowance, type Verdict } from "./verdict.js";

export interface JudgeValuesOptions {
  /** Chance of a false alarm for each measure. */
  readonly alpha: number;
  /** The inputs themselves come from a near tie: nothing is judged any more, only measured. */
  readonly parted?: boolean;
}

/** Verdicts on the values `shows` of a flat graph, of which `actual` are a candidate's, in the same order. */
export function judgeValues(
  graph: Graph,
  shows: readonly Value[],
  actual: readonly Tensor[],
  { runs, values, reference }: Prediction,
  { alpha, parted = false }: JudgeValuesOptions,
): Map<Value, Verdict> {
  const at = new Map(shows.map((value, i) => [value, actual[i]]));
  const verdicts = new Map<Value, Verdict>();
  const tied = new Set<Value>(parted ? graph.inputs : []);
  /** The largest honest error of a value's numbers. */
  const tolerance = (value: Value | undefined): number => {
    const predicted = value && values.get(value);
    return predicted === undefined
      ? 0
      : predicted.largest * predictedFactors(alpha, predicted.degrees, runs).largest;
  };
  for (const op of graph.ops) {
    const afterNearTie = present(op).some((v) => tied.has(v));
    for (const value of op.results) {
      if (afterNearTie) tied.add(value);
      if (!at.has(value)) continue;
      const verdict = judge({
        op,
        operands: op.operands.map((v) => (v === undefined ? undefined : reference.get(v)!)),
        actual: at.get(value),
        expected: reference.get(value)!,
        allowance: predictedAllowance(values.get(value)!, alpha, runs),
        tolerance: op.operands.map(tolerance),
        afterNearTie,
      });
      verdicts.set(value, verdict);
      if (verdict.status === "near-tie") tied.add(value);
    }
  }
  return verdicts;
}
