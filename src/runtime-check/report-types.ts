// What a check found. The JSON form (schema/check-report.schema.json) is this, with numbers that JSON cannot
// write as null.

import type { FirstDivergence } from "./divergence.js";
import type { ValuePrediction } from "./predict.js";
import type { Range } from "./ranges.js";
import type { TrajectoryReport, TrajectoryReport } from "./trajectory.js";
import type { Verdict } from "./verdict.js";

/** One result of one op. */
export interface ValueCheck {
  readonly op: string;
  /** Place of the op in the flat graph. */
  readonly index: number;
  /** Its name in the flat graph, unique there. */
  readonly value: string;
  readonly type: string;
  readonly shape: readonly number[];
  /** Where in model.json the op came from, and the passes that rewrote it. */
  readonly pointer: string;
  readonly via: readonly string[];
  /** Error expected of an honest artefact along the whole graph. */
  readonly predicted: ValuePrediction;
  readonly range: Range;
  readonly isolated?: Verdict;
  readonly cumulative?: Verdict;
}

export interface OutputCheck {
  readonly name: string;
  readonly value: string;
  readonly whole?: Verdict;
}

export interface GraphCheck {
  readonly name: string;
  readonly agrees: boolean;
  readonly inputs: readonly {
    readonly name: string;
    readonly type: string;
    readonly shape: readonly number[];
  }[];
  readonly values: readonly ValueCheck[];
  readonly outputs: readonly OutputCheck[];
  /** Runs that did not happen, and why. */
  readonly problems: readonly string[];
  readonly firstDivergence?: FirstDivergence;
}

export interface CheckReport {
  readonly version: 1;
  readonly candidate: string;
  readonly accuracy: { readonly name: string; readonly source: string };
  readonly runs: number;
  readonly seed: number;
  readonly falseAlarm: number;
  readonly agrees: boolean;
  readonly graphs: readonly GraphCheck[];
  readonly trajectory?: TrajectoryReport;
}
