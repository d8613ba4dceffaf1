// One value judged: its numbers within tolerance, its decisions right or near ties.

import type { Op } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";
import type { Accuracy } from "./accuracy.js";
import { type Allowance, type Comparison, compare, strain } from "./compare.js";
import { localError } from "./local-error.js";
import { type Flip, flips, isNearTie } from "./near-ties.js";
import type { ValuePrediction } from "./predict.js";
import { isolatedFactors, linesOf, predictedFactors } from "./tolerance.js";

/**
 * `near-tie`: decisions differ, and each could have gone either way. `after-near-tie`: beyond tolerance, but it
 * depends on such a decision. `fail` is everything else that is not allowed.
 */
export type Status = "pass" | "near-tie" | "after-near-tie" | "fail";

export interface Verdict {
  readonly status: Status;
  readonly comparison?: Comparison;
  /** Decisions that differ. */
  readonly flips?: readonly Flip[];
  /** Why nothing was compared: a shape or element that differs. */
  readonly problem?: string;
  /** measured / allowed, the larger of the two measures. */
  readonly strain: number;
}

/** What is allowed for a value that R perturbed runs predict. */
export function predictedAllowance(predicted: ValuePrediction, alpha: number, runs: number): Allowance {
  return { kind: "whole", predicted, ...predictedFactors(alpha, predicted.degrees, runs) };
}

/** What is allowed for result `i` of an op fed exact operands. */
export function isolatedAllowance(
  op: Op,
  operands: readonly (Tensor | undefined)[],
  results: readonly Tensor[],
  i: number,
  accuracy: Accuracy,
  alpha: number,
): Allowance {
  const sizes = localError(op, operands, results, accuracy)[i]!;
  const { shape } = results[i]!;
  return { kind: "each", sizes, ...isolatedFactors(alpha, sizes.length, linesOf(shape)) };
}

export interface JudgeOptions {
  readonly op: Op;
  /** The reference's operands. */
  readonly operands: readonly (Tensor | undefined)[];
  readonly actual: Tensor | undefined;
  readonly expected: Tensor;
  readonly allowance: Allowance;
  /** Largest honest error of each operand's numbers; for decisions. */
  readonly tolerance: readonly number[];
  /** The value depends on a decision that was a near tie. */
  readonly afterNearTie: boolean;
}

export function judge(options: JudgeOptions): Verdict {
  const { op, operands, actual, expected, allowance, tolerance, afterNearTie } = options;
  const problem = misfit(actual, expected);
  if (problem !== undefined || actual === undefined)
    return { status: "fail", problem: problem ?? "missing", strain: Number.POSITIVE_INFINITY };
  const decides = expected.element === "i32" || expected.element === "bool";
  const comparison = compare(actual, expected, decides ? { kind: "exact" } : allowance);
  if (comparison.passes) return { status: "pass", comparison, strain: strain(comparison) };
  const excuse: Status = afterNearTie ? "after-near-tie" : "fail";
  if (!decides) return { status: excuse, comparison, strain: strain(comparison) };
  const found = flips(op, operands, actual, expected, tolerance);
  const near = found.every(isNearTie);
  return {
    status: near ? "near-tie" : excuse,
    comparison,
    flips: found,
    strain: found.reduce((m, flip) => Math.max(m, flip.margin / flip.allowed), 0),
  };
}

function misfit(actual: Tensor | undefined, expected: Tensor): string | undefined {
  if (actual === undefined) return "the candidate returned no such value";
  const text = (t: Tensor): string => `${t.element}[${t.shape.join(", ")}]`;
  return text(actual) === text(expected) ? undefined : `expected ${text(expected)}, got ${text(actual)}`;
}
