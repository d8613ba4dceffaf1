// What a run of the golden cases says: one line per compared tensor, one verdict per case, totals.

import { type Comparison, gapFactor, referenceTolerance } from "./compare.js";

/** One case. */
export interface CaseReport {
  readonly id: string;
  /** dlmc's name of the system; the case's own where dlmc does not cover it. */
  readonly system: string;
  readonly status: "pass" | "fail" | "error" | "not covered";
  /** Why a case could not be run. */
  readonly problem?: string;
  readonly comparisons: readonly Comparison[];
  /** Tensors of upstream without a counterpart here. */
  readonly notCompared: readonly string[];
  /** Fields of the case's runs that the system does not know: what they change, it computed without. */
  readonly unknownFields: readonly string[];
}

/** The whole run, as printed by --json (schema/goldens.schema.json). */
export interface GoldensReport {
  readonly format: "dlmc-goldens-report";
  readonly version: 1;
  readonly criteria: {
    readonly reference: string;
    readonly compiled: string;
    readonly table: string;
    readonly exact: string;
  };
  readonly cases: readonly CaseReport[];
  readonly totals: Readonly<Record<"pass" | "fail" | "error" | "notCovered" | "comparisons", number>>;
}

const criteria = {
  reference: `max|ours - f64| <= ${referenceTolerance} max|f64| over a tensor, ours the float64 reference`,
  compiled: `max|ours - f64| <= ${gapFactor} times the tensor's stated max|f32 - f64| of upstream, on ONNX Runtime and on WebGPU; where none is stated or it is 0, ${gapFactor} units in the last place of float32 at max|f64|`,
  table: `|ours - f64| <= ${referenceTolerance} |f64| for every entry of schedules and coefficients, which no compiled graph computes`,
  exact: "tokens and indices are equal; the difference counts those that are not",
};

export function reportOf(cases: readonly CaseReport[]): GoldensReport {
  const number = (status: CaseReport["status"]): number =>
    cases.filter((one) => one.status === status).length;
  return {
    format: "dlmc-goldens-report",
    version: 1,
    criteria,
    cases,
    totals: {
      pass: number("pass"),
      fail: number("fail"),
      error: number("error"),
      notCovered: number("not covered"),
      comparisons: cases.reduce((sum, one) => sum + one.comparisons.length, 0),
    },
  };
}

/** Whether every covered case passed and there was one. */
export function allPass({ totals }: GoldensReport): boolean {
  return totals.fail === 0 && totals.error === 0 && totals.pass > 0;
}

/** What stands above the cases. */
export function headingText(): string {
  return Object.entries(criteria)
    .map(([name, text]) => `${`${name}:`.padEnd(11)}${text}`)
    .join("\n");
}

/** A case as text. */
export function caseText(one: CaseReport): string {
  if (one.status === "not covered") return `${one.id}: not covered: ${one.system}`;
  const lines = [`${one.id} (${one.system}): ${one.status.toUpperCase()}`];
  if (one.problem !== undefined) lines.push(`  ${one.problem.replaceAll("\n", "\n  ")}`);
  const width = Math.max(0, ...one.comparisons.map(({ tensor }) => tensor.length));
  for (const { tensor, backend, kind, difference, allowed, pass } of one.comparisons) {
    const unit =
      kind === "exact"
        ? `${difference} differ`
        : `${difference.toExponential(2)} of ${allowed.toExponential(2)}`;
    lines.push(`  ${pass ? "pass" : "FAIL"}  ${tensor.padEnd(width)}  ${backend.padEnd(9)}  ${unit}`);
  }
  if (one.notCompared.length > 0) lines.push(`  without counterpart: ${one.notCompared.join(", ")}`);
  if (one.unknownFields.length > 0) lines.push(`  fields not known: ${one.unknownFields.join(", ")}`);
  return lines.join("\n");
}

/** The last lines. */
export function totalsText({ totals }: GoldensReport): string {
  return `${totals.pass} passed, ${totals.fail} failed, ${totals.error} could not be run, ${totals.notCovered} not covered; ${totals.comparisons} comparisons`;
}
