// What reports say about a graph before they say everything: counts, the values nearest to their limits, ranges.

import { isNearTie } from "./near-ties.js";
import type { GraphCheck, ValueCheck } from "./report-types.js";
import type { Status, Verdict } from "./verdict.js";

export interface Nearest {
  readonly value: ValueCheck;
  readonly verdict: Verdict;
}

/** All ops of one name: how many results, and how near each comes to its limits. */
export interface OpSummary {
  readonly op: string;
  readonly results: number;
  readonly isolated: number;
  readonly cumulative: number;
}

export interface GraphSummary {
  /** Results that passed and all that were compared, alone and along the graph. */
  readonly isolated: { readonly passed: number; readonly of: number };
  readonly cumulative: { readonly passed: number; readonly of: number };
  /** Decisions that differ and could have gone either way. */
  readonly nearTies: number;
  readonly nearest: { readonly isolated?: Nearest; readonly cumulative?: Nearest };
  readonly ops: readonly OpSummary[];
  /** The value with the least headroom for half precision. */
  readonly widest?: ValueCheck;
}

type Mode = "isolated" | "cumulative";

export function summarise(graph: GraphCheck): GraphSummary {
  const counted = (mode: Mode) => {
    const verdicts = graph.values.flatMap((value) => value[mode] ?? []);
    return { passed: verdicts.filter(({ status }) => status !== "fail").length, of: verdicts.length };
  };
  const nearest = (mode: Mode): Nearest | undefined =>
    graph.values.reduce<Nearest | undefined>((best, value) => {
      const verdict = value[mode];
      return verdict !== undefined && !tied(verdict.status) && verdict.strain > (best?.verdict.strain ?? 0)
        ? { value, verdict }
        : best;
    }, undefined);
  const [isolated, cumulative] = [nearest("isolated"), nearest("cumulative")];
  const widest = graph.values.reduce<ValueCheck | undefined>(
    (best, value) =>
      !/^(i32|bool)/.test(value.type) && value.range.largest > (best?.range.largest ?? 0) ? value : best,
    undefined,
  );
  return {
    isolated: counted("isolated"),
    cumulative: counted("cumulative"),
    nearTies: nearTies([...graph.values.map((v) => v.cumulative), ...graph.outputs.map((o) => o.whole)]),
    nearest: { ...(isolated && { isolated }), ...(cumulative && { cumulative }) },
    ops: opSummaries(graph.values),
    ...(widest && { widest }),
  };
}

function tied(status: Status): boolean {
  return status === "near-tie" || status === "after-near-tie";
}

function nearTies(verdicts: readonly (Verdict | undefined)[]): number {
  return verdicts.reduce((n, verdict) => n + (verdict?.flips ?? []).filter(isNearTie).length, 0);
}

function opSummaries(values: readonly ValueCheck[]): OpSummary[] {
  const found = new Map<string, OpSummary>();
  for (const { op, isolated, cumulative } of values) {
    const known = found.get(op) ?? { op, results: 0, isolated: 0, cumulative: 0 };
    found.set(op, {
      op,
      results: known.results + 1,
      isolated: Math.max(known.isolated, strainOf(isolated)),
      cumulative: Math.max(known.cumulative, strainOf(cumulative)),
    });
  }
  return [...found.values()].sort((a, b) => b.isolated - a.isolated || (a.op < b.op ? -1 : 1));
}

function strainOf(verdict: Verdict | undefined): number {
  return verdict === undefined || tied(verdict.status) ? 0 : verdict.strain;
}

/** Why the numbers of a graph stop being finite, when they do. */
export function nonFiniteOrigin(graph: GraphCheck): string | undefined {
  const reference = graph.values.find((value) => value.range.nonFinite > 0);
  if (reference !== undefined)
    return `the reference itself is not finite from ${reference.op} %${reference.value} on: the model, its weights or the inputs are at fault`;
  const candidate = graph.values.find(({ isolated, cumulative }) =>
    [isolated, cumulative].some((verdict) => verdict?.comparison?.nonFinite !== undefined),
  );
  if (candidate === undefined) return undefined;
  const { op, value, range } = candidate;
  const why = range.overflowsSingle > 0 ? ": the reference exceeds what f32 holds" : "";
  return `numbers stop being finite at ${op} %${value}${why}`;
}
