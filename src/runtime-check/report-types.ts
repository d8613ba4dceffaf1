// What a check found. The JSON form is schema/check-report.schema.json.

import type { ValuePrediction } from "./predict.js";
import type { Range } from "./ranges.js";
import type { TrajectoryReport } from "./trajectory.js";
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
  /** The op fed the reference's operands; absent when that could not be run. */
  readonly isolated?: Verdict;
  /** The value as it comes along the graph. */
  readonly cumulative?: Verdict;
}

/** One output of the graph as it ships. */
export interface OutputCheck {
  readonly name: string;
  /** The value of the flat graph that it shows. */
  readonly value: string;
  readonly whole?: Verdict;
}

/**
 * `isolated`: the op itself is wrong. `cumulative`: every op is right on its own, but errors come together here
 * as rounding does not. `whole`: nothing inside diverges, so what the target fuses or reorders does.
 */
export interface FirstDivergence {
  readonly mode: "isolated" | "cumulative" | "whole";
  /** Name of the value in the flat graph. */
  readonly value: string;
  readonly op: string;
  readonly pointer: string;
  /** Position of the worst number, and what was there. */
  readonly index: readonly number[];
  readonly actual: number;
  readonly expected: number;
  readonly message: string;
  /** True when a number stops being finite here: the origin of NaN or Inf. */
  readonly nonFinite: boolean;
}

export interface GraphCheck {
  readonly name: string;
  readonly agrees: boolean;
  readonly inputs: readonly {
    readonly name: string;
    readonly type: string;
    readonly shape: readonly number[];
  }[];
  /** In the order of execution. */
  readonly values: readonly ValueCheck[];
  readonly outputs: readonly OutputCheck[];
  /** Runs that did not happen, and why; any makes the graph disagree. */
  readonly problems: readonly string[];
  readonly firstDivergence?: FirstDivergence;
}

/** Whether passes kept the values of an output, float64 on both sides. */
export interface PassesCheck {
  readonly graph: string;
  readonly output: string;
  readonly difference: number;
  readonly predicted: number;
  readonly agrees: boolean;
}

export interface CheckReport {
  readonly version: 1;
  /** Path of the description, and the target's name, where the caller knows them. */
  readonly model?: string;
  readonly target?: string;
  readonly candidate: string;
  readonly accuracy: { readonly name: string; readonly source: string };
  /** Perturbed runs behind every prediction. */
  readonly runs: number;
  readonly seed: number;
  /** Chance that the check of an honest artefact fails. */
  readonly falseAlarm: number;
  readonly agrees: boolean;
  readonly graphs: readonly GraphCheck[];
  readonly passes?: readonly PassesCheck[];
  readonly trajectory?: TrajectoryReport;
}
