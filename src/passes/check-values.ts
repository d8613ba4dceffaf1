// `--check-passes`: every graph is evaluated in float64 before and after each pass, on the same seeded inputs; a pass
// that changed a value is named, with the first op whose value it changed.
//
// The tolerance is measured, not chosen: the graph before the pass runs again with every op off by its own rounding
// error in float64 (op.ts: rounding, times 2^-53), signs drawn at random. A pass may reorder float64 operations, which
// moves results by about as much; it may not move them more than `margin` times as far.

import { evaluate } from "../ir/evaluate.js";
import { findGraph, type Graph, type Module, type Op, type Value } from "../ir/graph.js";
import { operandRecord } from "../ir/op.js";
import { definitionOf } from "../ir/ops/index.js";
import { seededInputs, seededUniform } from "../ir/seeded.js";
import type { Tensor } from "../ir/tensor.js";
import { bug, DlmcError, exitCodes } from "../support/diagnostic.js";
import type { Pass, RunOptions } from "./pass.js";

export interface ValueCheckOptions {
  /** Sizes of free dims; by default B is 2 and others are 5, within their ranges. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Chooses the inputs and the drawn signs. */
  readonly seed?: string;
}

/**
 * How much farther than a draw of roundings a value may move: n roundings of random sign move a sum by about sqrt(n) of
 * them, a reordering by at most n, and 64 = sqrt(4096) covers sums of 4096 terms.
 */
const margin = 64;
const unit = 2 ** -53;

/** The `after` hook of runPasses. Throws DlmcError `passes/value-changed`, exit code 4: a pass is wrong. */
export function checkValues(options: ValueCheckOptions = {}): NonNullable<RunOptions["after"]> {
  const remembered = rememberingWeights();
  return (pass, before, result) => {
    if (before === result) return;
    const modules = { before: remembered(before), result: remembered(result) };
    for (const graph of before.graphs) checkGraph(pass, modules.before, modules.result, graph, options);
  };
}

/** Reads every weight once for all evaluations: passes add names, but never give a name another tensor. */
function rememberingWeights(): (module: Module) => Module {
  const known = new Map<string, Tensor>();
  return (module) => ({
    ...module,
    weights: {
      has: (name) => module.weights.has(name),
      read(name) {
        const value = known.get(name) ?? module.weights.read(name);
        known.set(name, value);
        return value;
      },
    },
  });
}

function checkGraph(
  pass: Pass,
  before: Module,
  result: Module,
  graph: Graph,
  { sizes = {}, seed = "" }: ValueCheckOptions,
): void {
  const target = findGraph(result, graph.name);
  if (target === undefined) return;
  const chosen = chooseSizes(before, result, sizes);
  const values = seededInputs(before, graph, chosen, seed);
  const named = new Map(graph.inputs.map((v, i) => [nameOf(v, i), values[i]!]));
  const related = pass.relateInputs?.(graph.name, named, result) ?? { before: named, after: named };
  const pick = (from: ReadonlyMap<string, Tensor>, inputs: readonly Value[]): Tensor[] =>
    inputs.map(
      (v, i) => from.get(nameOf(v, i)) ?? bug(`${pass.name} gave @${graph.name} the new input ${v.hint}`),
    );
  const given = pick(related.before, graph.inputs);
  const taken = pick(related.after, target.inputs);
  const expected = evaluate(before, graph.name, given);
  const actual = evaluate(result, graph.name, taken);
  const moved = [0, 1].map((draw) =>
    evaluate(before, graph.name, given, { observe: perturbed(`${seed}/${draw}`) }),
  );
  expected.forEach((wanted, i) => {
    // An output that the pass dropped has no value to compare.
    const kept = target.outputNames.indexOf(graph.outputNames[i]!);
    const found = actual[kept];
    if (found === undefined) return;
    const tolerance = toleranceOf(
      wanted,
      moved.map((outputs) => outputs[i]!),
    );
    const difference = largestDifference(wanted, found);
    if (difference.size <= tolerance) return;
    const culprit = firstChanged(before, result, graph, target, given, taken, tolerance);
    const op = culprit ?? target.ops.find((candidate) => candidate.results.includes(target.outputs[kept]!));
    const what =
      op === undefined
        ? ""
        : `; the first op with another value is ${op.name} : ${op.results[0]!.hint ?? ""}`;
    throw new DlmcError(
      [
        {
          severity: "error",
          code: "passes/value-changed",
          message: `${pass.name} changed ${graph.outputNames[i]} of @${graph.name}: element ${difference.at} was ${wanted.data[difference.at]}, is ${found.data[difference.at]}, allowed is ${tolerance}${what}`,
          pointer: op?.loc.pointer ?? "",
          help: "this is a bug of dlmc; report the description and the output of dlmc lower",
        },
      ],
      exitCodes.internal,
    );
  });
}

const nameOf = (value: Value, i: number): string => value.hint ?? String(i);

function chooseSizes(
  before: Module,
  result: Module,
  given: Readonly<Record<string, number>>,
): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [name, extent] of before.dims) {
    if (extent.key !== name) continue;
    const bound = result.dims.get(name)?.value;
    const usual = Math.max(extent.min, Math.min(extent.max, name === "B" ? 2 : 5));
    sizes.set(name, bound ?? given[name] ?? usual);
  }
  return sizes;
}

/** Moves every real result by its op's rounding error in float64, up or down. */
function perturbed(seed: string) {
  const next = seededUniform(seed);
  return (
    op: Op,
    operands: readonly (Tensor | undefined)[],
    results: readonly Tensor[],
  ): readonly Tensor[] => {
    const definition = definitionOf(op.name)!;
    const record = operandRecord(definition.operands, operands);
    const sizes = definition.rounding(record as never, results, op.attributes as never, { ulps: () => 2 });
    return results.map((result, i) => {
      if (result.element === "i32" || result.element === "bool") return result;
      const size = sizes[i]!;
      return {
        ...result,
        data: result.data.map((v, k) => {
          const error = (next() < 0.5 ? -unit : unit) * size[k]!;
          return Number.isFinite(v) && Number.isFinite(error) ? v + error : v;
        }),
      };
    });
  };
}

/** Integers must be equal, unless a rounding alone flips one of them (a near tie). */
function toleranceOf(wanted: Tensor, moved: readonly Tensor[]): number {
  const most = moved.reduce((m, other) => Math.max(m, largestDifference(wanted, other).size), 0);
  const largest = wanted.data.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0);
  return margin * (most + unit * largest);
}

/** Equal infinities and NaNs do not differ; a NaN and a number differ without bound. */
export function largestDifference(a: Tensor, b: Tensor): { size: number; at: number } {
  let size = a.data.length === b.data.length ? 0 : Number.POSITIVE_INFINITY;
  let at = 0;
  a.data.forEach((x, i) => {
    const y = b.data[i]!;
    if (Object.is(x, y) || x === y) return;
    const apart = Number.isNaN(x - y) ? Number.POSITIVE_INFINITY : Math.abs(x - y);
    if (apart > size) [size, at] = [apart, i];
  });
  return { size, at };
}

/** The first op that both graphs keep (its results are the same objects) and whose value differs. */
function firstChanged(
  before: Module,
  result: Module,
  graph: Graph,
  target: Graph,
  given: readonly Tensor[],
  taken: readonly Tensor[],
  tolerance: number,
): Op | undefined {
  const known = new Map<Value, Tensor>();
  const record = (op: Op, results: readonly Tensor[]): undefined => {
    op.results.forEach((value, i) => {
      known.set(value, results[i]!);
    });
  };
  evaluate(before, graph.name, given, {
    observe: (op, _, results, within) => (within === graph ? record(op, results) : undefined),
  });
  let found: Op | undefined;
  evaluate(result, target.name, taken, {
    observe(op, _, results, within) {
      const differs = (value: Value, i: number): boolean => {
        const wanted = known.get(value);
        return wanted !== undefined && largestDifference(wanted, results[i]!).size > tolerance;
      };
      if (within === target && op.results.some(differs)) found ??= op;
      return undefined;
    },
  });
  return found;
}
