// Does an artefact compute what the module says? Every op on its own (isolated), every value as it comes
// (cumulative), and the graph as it ships (whole, with whatever the target fuses); the first divergence is named.

import { type Graph, type Module, type Op, present, type Value } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";
import { typeText } from "../ir/type.js";
import { DlmcBug, DlmcError } from "../support/diagnostic.js";
import type { Candidate } from "./candidate.js";
import { firstDivergence } from "./divergence.js";
import { flatten } from "./flatten.js";
import { type InputOptions, makeInputs } from "./inputs.js";
import { checkedOps, cumulative, isolated, portNames, type Transformed } from "./isolate.js";
import { judgeValues } from "./judge-values.js";
import { defaultRuns, type Prediction, predict } from "./predict.js";
import { rangeOf } from "./ranges.js";
import type { CheckReport, GraphCheck, OutputCheck, ValueCheck } from "./report-types.js";
import { stored } from "./stored.js";
import { isolatedAllowance, judge, predictedAllowance, type Verdict } from "./verdict.js";

export type { CheckReport } from "./report-types.js";

export interface CheckOptions {
  /** Graphs to check, in order; all that the module has by default. */
  readonly graphs?: readonly string[];
  readonly inputs?: InputOptions;
  /** Perturbed evaluations behind each prediction. */
  readonly runs?: number;
  /** Chance that a check of an honest artefact fails, shared equally by all its tests. */
  readonly falseAlarm?: number;
  /** Leave out the checks inside graphs: only outputs are compared. */
  readonly outputsOnly?: boolean;
  /** Called with every graph before it is checked. */
  readonly progress?: (graph: string) => void;
}

export const defaultFalseAlarm = 1e-4;

/** Checks a candidate against the float64 reference. Throws only for what is wrong with dlmc or the options. */
export async function checkModule(
  module: Module,
  candidate: Candidate,
  options: CheckOptions = {},
): Promise<CheckReport> {
  const { runs = defaultRuns, falseAlarm = defaultFalseAlarm } = options;
  const names = options.graphs ?? module.graphs.map((graph) => graph.name);
  const flat = names.map((name) => flatten(module, name));
  // Two measures each for a value on its own, a value as it comes and an output.
  const tests = flat.reduce((n, graph) => n + 4 * checkedOps(graph).length + 2 * graph.outputs.length, 0);
  const alpha = falseAlarm / Math.max(1, tests);
  const graphs: GraphCheck[] = [];
  for (const graph of flat) {
    options.progress?.(graph.name);
    graphs.push(await checkGraph(module, graph, candidate, alpha, runs, options));
  }
  return {
    version: 1,
    candidate: candidate.name,
    accuracy: { name: candidate.accuracy.name, source: candidate.accuracy.source },
    runs,
    seed: options.inputs?.seed ?? 0,
    falseAlarm,
    agrees: graphs.every((graph) => graph.agrees),
    graphs,
  };
}

async function checkGraph(
  module: Module,
  graph: Graph,
  candidate: Candidate,
  alpha: number,
  runs: number,
  options: CheckOptions,
): Promise<GraphCheck> {
  const inputs = makeInputs(graph, options.inputs);
  const prediction = predict(module, graph, inputs, {
    accuracy: candidate.accuracy,
    runs,
    seed: options.inputs?.seed ?? 0,
  });
  const problems: string[] = [];
  const attempt = async <T>(what: string, body: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await body();
    } catch (error) {
      if (error instanceof DlmcBug) throw error;
      const reason =
        error instanceof DlmcError ? error.message : error instanceof Error ? error.message : String(error);
      problems.push(`${what}: ${reason}`);
      return undefined;
    }
  };
  // A graph that gives back what it is given has no ops to look at.
  const inside = options.outputsOnly !== true && graph.ops.length > 0;
  const alone = inside
    ? await attempt("ops on their own", () =>
        judgeIsolated(module, graph, candidate, alpha, runs, prediction),
      )
    : undefined;
  const along = inside
    ? await attempt("values along the graph", () =>
        judgeCumulative(module, graph, candidate, alpha, prediction, inputs),
      )
    : undefined;
  const whole = await attempt("the graph as it ships", async () => {
    const actual = await candidate.run(module, graph.name, inputs);
    return judgeValues(graph, graph.outputs, actual, prediction, { alpha });
  });

  const names = portNames(graph);
  const values = checkedOps(graph).flatMap((op) =>
    op.results.map(
      (value): ValueCheck => ({
        op: op.name,
        index: graph.ops.indexOf(op),
        value: names.get(value)!,
        type: typeText(value.type),
        shape: prediction.reference.get(value)!.shape,
        pointer: op.loc.pointer,
        via: op.loc.via,
        predicted: prediction.values.get(value) ?? { rms: 0, largest: 0, degrees: 1 },
        range: rangeOf(prediction.reference.get(value)!),
        ...(alone?.get(value) && { isolated: alone.get(value)! }),
        ...(along?.get(value) && { cumulative: along.get(value)! }),
      }),
    ),
  );
  const outputs = graph.outputs.flatMap((value, i): OutputCheck[] => {
    // What is given back as it came has no op that could be wrong.
    if (graph.inputs.includes(value)) return [];
    const name = graph.outputNames[i]!;
    const verdict = whole?.get(value);
    return [{ name, value: names.get(value)!, ...(verdict && { whole: verdict }) }];
  });
  const diverges = firstDivergence(values, outputs);
  return {
    name: graph.name,
    agrees: diverges === undefined && problems.length === 0,
    inputs: graph.inputs.map((value, i) => ({
      name: value.hint ?? "",
      type: typeText(value.type),
      shape: inputs[i]!.shape,
    })),
    values,
    outputs,
    problems,
    ...(diverges && { firstDivergence: diverges }),
  };
}

/** Every op fed the reference's operands, rounded to the format they are stored in. */
async function judgeIsolated(
  module: Module,
  graph: Graph,
  candidate: Candidate,
  alpha: number,
  runs: number,
  { reference }: Prediction,
): Promise<Map<Value, Verdict>> {
  const apart = isolated(module, graph);
  const inputs = apart.feeds.map((value) => stored(reference.get(value)!));
  const actual = await candidate.run(apart.module, apart.graph.name, inputs);
  // What depends on constants alone is not cut: there, errors come along as they do in the whole graph.
  const uncut = new Set<Op>(apart.graph.ops.filter((op) => fedByOps(apart, op)));
  const prediction = predict(apart.module, apart.graph, inputs, {
    accuracy: candidate.accuracy,
    runs: uncut.size > 0 ? runs : 0,
  });
  const verdicts = new Map<Value, Verdict>();
  for (const op of checkedOps(apart.graph)) {
    const operands = op.operands.map((v) => (v === undefined ? undefined : prediction.reference.get(v)!));
    const results = op.results.map((v) => prediction.reference.get(v)!);
    op.results.forEach((value, i) => {
      const allowance = uncut.has(op)
        ? predictedAllowance(prediction.values.get(value)!, alpha, runs)
        : isolatedAllowance(op, operands, results, i, candidate.accuracy, alpha);
      verdicts.set(
        value,
        judge({
          op,
          operands,
          actual: actual[apart.shows.indexOf(value)],
          expected: results[i]!,
          allowance,
          tolerance: op.operands.map(() => 0),
          afterNearTie: false,
        }),
      );
    });
  }
  return verdicts;
}

/** True when an operand is made by an op that rounds, so that the op is not really on its own. */
function fedByOps({ graph }: Transformed, op: Op): boolean {
  const constants = new Set(graph.ops.filter((o) => o.operands.length === 0).flatMap((o) => o.results));
  return present(op).some((v) => !graph.inputs.includes(v) && !constants.has(v));
}

async function judgeCumulative(
  module: Module,
  graph: Graph,
  candidate: Candidate,
  alpha: number,
  prediction: Prediction,
  inputs: readonly Tensor[],
): Promise<Map<Value, Verdict>> {
  const open = cumulative(module, graph);
  const actual = await candidate.run(open.module, open.graph.name, inputs);
  return judgeValues(graph, open.shows, actual, prediction, { alpha });
}
