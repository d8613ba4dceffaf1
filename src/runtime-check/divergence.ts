// The first op to blame, in words and as a diagnostic.

import type { Diagnostic } from "../support/diagnostic.js";
import { type Comparison, indexOf } from "./compare.js";
import type { FirstDivergence, OutputCheck, ValueCheck } from "./report-types.js";
import type { BlockDivergence } from "./trajectory.js";
import type { Verdict } from "./verdict.js";

/** The first op that fails alone, else the first value that fails along the graph, else the first output. */
export function firstDivergence(
  values: readonly ValueCheck[],
  outputs: readonly OutputCheck[],
): FirstDivergence | undefined {
  for (const mode of ["isolated", "cumulative"] as const) {
    const found = values.find((value) => value[mode]?.status === "fail");
    if (found !== undefined) return describe(mode, found, found[mode]!);
  }
  const output = outputs.find(({ whole }) => whole?.status === "fail");
  if (output === undefined) return undefined;
  const source = values.find((value) => value.value === output.value);
  const made = source ?? { value: output.value, op: "input", pointer: "", shape: [], type: "" };
  return describe("whole", made, output.whole!);
}

function describe(
  mode: FirstDivergence["mode"],
  { value, op, pointer, shape, type }: Pick<ValueCheck, "value" | "op" | "pointer" | "shape" | "type">,
  verdict: Verdict,
): FirstDivergence {
  const { comparison } = verdict;
  const complex = type.startsWith("c64");
  const index =
    comparison === undefined
      ? []
      : indexOf(comparison.worst, { element: complex ? "c64" : "f32", shape, data: new Float64Array() });
  return {
    mode,
    value,
    op,
    pointer,
    index,
    actual: comparison?.worstActual ?? Number.NaN,
    expected: comparison?.worstExpected ?? Number.NaN,
    message: verdict.problem ?? explain(verdict, comparison!, index),
    nonFinite: comparison?.nonFinite !== undefined,
  };
}

function explain({ flips }: Verdict, comparison: Comparison, index: readonly number[]): string {
  const { worstActual, worstExpected, largest, spread, nonFinite } = comparison;
  const place = `at [${index.join(", ")}]: expected ${short(worstExpected)}, got ${short(worstActual)}`;
  if (nonFinite !== undefined) return `${place}; here a number stops being finite`;
  if (flips !== undefined) {
    const worst = flips.reduce((a, b) => (b.margin - b.allowed > a.margin - a.allowed ? b : a));
    return `${flips.length} decisions differ, ${place}; the margin is ${short(worst.margin)}, near ties end at ${short(worst.allowed)}`;
  }
  if (largest === undefined || spread === undefined)
    return `${comparison.differing} numbers differ, ${place}`;
  const over = largest.measured > largest.predicted * largest.factor;
  const m = over ? largest : spread;
  return `${place}, ${short(comparison.maxUlp)} ULP; the ${over ? "largest" : "root-mean-square"} error is ${short(m.measured / m.predicted)} times the predicted one, allowed are ${short(m.factor)} times`;
}

/** A mismatch as a diagnostic at the op's place in the description. */
export function mismatchDiagnostic(graph: string, divergence: FirstDivergence, file?: string): Diagnostic {
  const { mode, op, value, message, pointer } = divergence;
  const where = {
    isolated: `${op} %${value} of @${graph}, fed the reference's operands`,
    cumulative: `${op} %${value} of @${graph}, right on its own, along the graph`,
    whole: `output %${value} of @${graph}, though no op inside diverges`,
  }[mode];
  return {
    severity: "error",
    code: "check/mismatch",
    message: `${where}: ${message}`,
    ...(file !== undefined && { file }),
    pointer,
    help:
      mode === "whole"
        ? "the target fuses or reorders ops: run it with graph optimisations off to see whether that is the cause"
        : "--repro <directory> writes this op alone, with its inputs and both results",
  };
}

/** Four digits: enough to see, few enough to read. */
export function short(x: number): string {
  if (x === 0 || !Number.isFinite(x)) return String(x);
  const size = Math.abs(x);
  return size >= 1e-3 && size < 1e5 ? String(Number(x.toPrecision(4))) : x.toExponential(2);
}

/** Which block of a generation with a cache is wrong, and where. */
export function blockText({ position, size, settling, graph, ...at }: BlockDivergence): string {
  const block = `the block from position ${position} on (${size} positions${settling ? ", while it settles" : ""})`;
  if (graph === "session")
    return `${block}: every op agrees when it is fed the reference's rows, so what the session keeps of settled positions is wrong`;
  const place = at.pointer === undefined || at.pointer === "" ? "" : ` (${at.pointer})`;
  return `${block}, @${graph}${at.op === undefined ? "" : `: ${at.op} %${at.value}${place}: ${at.message}`}`;
}
