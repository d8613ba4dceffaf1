// Block sessions of the reference, every call of which the candidate makes too, fed what the reference keeps of settled
// positions. Beside the reference its perturbed runs keep rows of their own, so that what an honest session may be off by
// after many blocks is known.

import type { Graph, Module } from "../ir/graph.js";
import { findGraph } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import { type BlockFeeds, hostBlocks } from "../runtime/discrete/host-blocks.js";
import type { FloatArray } from "../runtime/step-runner.js";
import type { BlockInputs, BlockSession } from "../runtime/token-runner.js";
import { bug } from "../support/diagnostic.js";
import type { Candidate } from "./candidate.js";
import { flatten } from "./flatten.js";
import { judgeValues } from "./judge-values.js";
import { type PredictOptions, predict, type ValuePrediction } from "./predict.js";
import { stored } from "./stored.js";
import { type Named, namedOutputs, type Supplied } from "./supplied.js";
import type { StepCheck } from "./trajectory.js";

type GraphName = "block" | "prefix";

/** What all sessions of a check share. */
export interface BlockContext {
  readonly module: Module;
  readonly candidate: Candidate;
  readonly batch: number;
  /** Chance of a false alarm for each measure. */
  readonly alpha: number;
  readonly predict: PredictOptions & { readonly runs: number };
  readonly filters: Supplied;
}

/** A call of a session, judged. */
export interface BlockCall {
  /** Of which session, and what it was. */
  readonly session: number;
  readonly settles?: number;
  readonly inputs: BlockInputs;
  /** The first position of the block under way. */
  readonly position: number;
  /** Of the candidate's graphs, fed what the reference keeps. */
  readonly forced: StepCheck;
  /** The candidate's logits then. */
  readonly actual: Float64Array;
  /** The reference's logits, and what those of an honest session may be off by. */
  readonly expected: Tensor;
  readonly predicted: ValuePrediction;
  /** The first graph out of tolerance, and its inputs by name. */
  readonly wrong?: { readonly graph: GraphName; readonly given: Named };
}

/** Opens sessions whose calls are appended to `calls`. */
export function judgedBlocks(c: BlockContext, count: number, calls: BlockCall[]): BlockSession[] {
  return Array.from({ length: count }, (_, session) => judgedSession(c, session, calls));
}

/** Sessions as the candidate ships them, or, where it says nothing about that, on the host around its graphs. */
export async function candidateBlocks(c: BlockContext, count: number): Promise<readonly BlockSession[]> {
  const { module, candidate, batch, filters } = c;
  const shipped = await candidate.openBlocks?.(module, batch, count);
  if (shipped !== undefined) return shipped;
  const graphs = flatGraphs(module);
  return Array.from({ length: count }, () =>
    hostBlocks({
      ...portsOf(graphs, batch),
      async run(name, feeds) {
        const graph = graphs[name]!;
        const given = inputsOf(graph, feeds, filters.candidate, batch).map(stored);
        return arrays(namedOutputs(graph, await candidate.run(module, name, given)));
      },
    }),
  );
}

function judgedSession(c: BlockContext, session: number, calls: BlockCall[]): BlockSession {
  const graphs = flatGraphs(c.module);
  const judged = new Map<GraphName, JudgedGraph>();
  const run = together(c.predict.runs + 1, async (name: GraphName, feeds: readonly BlockFeeds[]) => {
    const { sides, ...made } = await judgeGraph(c, graphs[name] ?? bug(`no graph @${name}`), feeds);
    judged.set(name, { ...made, graph: name });
    return sides.map(arrays);
  });
  const sides = Array.from({ length: c.predict.runs + 1 }, (_, side) =>
    hostBlocks({ ...portsOf(graphs, c.batch), run: (name, feeds) => run(side, name, feeds) }),
  );
  let position = 0;
  const call = async (
    inputs: BlockInputs,
    ask: (side: BlockSession) => Promise<FloatArray>,
    settles?: number,
  ): Promise<FloatArray> => {
    judged.clear();
    const [reference] = await Promise.all(sides.map(ask));
    const block = judged.get("block")!;
    const all = [...judged.values()];
    const wrong = all.find(({ check }) => check.status === "fail");
    calls.push({
      session,
      inputs: { tokens: inputs.tokens.slice(), level: Array.from(inputs.level) },
      position,
      forced: all.map(({ check }) => check).reduce(worse),
      actual: block.actual,
      expected: block.expected,
      predicted: block.predicted,
      ...(settles !== undefined && { settles }),
      ...(wrong && { wrong: { graph: wrong.graph, given: wrong.given } }),
    });
    position += settles ?? 0;
    return reference!;
  };
  return {
    size: sides[0]!.size,
    logits: (inputs) => call(inputs, (side) => side.logits(inputs)),
    settle: (inputs, count) => call(inputs, (side) => side.settle(inputs, count), count),
    close() {},
  };
}

/** The worse of two checks; the first one's numbers where neither is. */
export function worse(a: StepCheck, b: StepCheck): StepCheck {
  if (a.status === "fail" && b.status !== "fail") return a;
  return b.strain > a.strain || (b.status === "fail" && a.status !== "fail") ? b : a;
}

interface JudgedGraph {
  readonly graph: GraphName;
  readonly check: StepCheck;
  readonly given: Named;
  /** Of the first output: of @block the logits. */
  readonly actual: Float64Array;
  readonly expected: Tensor;
  readonly predicted: ValuePrediction;
}

/** A graph fed by the reference and by its perturbed runs: their outputs, and the candidate's judged. */
async function judgeGraph(
  { module, candidate, batch, alpha, filters, predict: options }: BlockContext,
  graph: Graph,
  [feeds, ...perturbed]: readonly BlockFeeds[],
): Promise<Omit<JudgedGraph, "graph"> & { readonly sides: readonly Named[] }> {
  const own = inputsOf(graph, feeds!, filters.reference, batch);
  const given = own.map(stored);
  const alone = predict(module, graph, given, options);
  const actual = await candidate.run(module, graph.name, given);
  const verdicts = [...judgeValues(graph, graph.outputs, actual, alone, { alpha }).values()];
  const along = predict(module, graph, own, {
    ...options,
    perturbedInputs: perturbed.map((side, r) =>
      inputsOf(graph, side, filters.perturbed[r] ?? filters.reference, batch),
    ),
  });
  const [first] = graph.outputs;
  const outputs = graph.outputs.map((value) => along.reference.get(value)!);
  return {
    sides: [outputs, ...along.samples].map((values) => namedOutputs(graph, values)),
    check: {
      status: verdicts.some(({ status }) => status === "fail") ? "fail" : "pass",
      error: verdicts[0]?.comparison?.maxAbsolute ?? 0,
      predicted: alone.values.get(first!)?.largest ?? 0,
      strain: Math.max(...verdicts.map(({ strain }) => strain)),
      flips: 0,
      nearTies: 0,
    },
    given: Object.fromEntries(graph.inputs.map((value, i) => [value.hint ?? "", given[i]!])),
    actual: actual[0]!.data,
    expected: outputs[0]!,
    predicted: along.values.get(first!) ?? { rms: 0, largest: 0, degrees: 1 },
  };
}

/** Runs `body` once every side has called: for all sides at once, each of which gets its own of the results. */
function together<Name, Feeds, Result>(
  sides: number,
  body: (name: Name, feeds: readonly Feeds[]) => Promise<readonly Result[]>,
): (side: number, name: Name, feeds: Feeds) => Promise<Result> {
  let waiting: { side: number; feeds: Feeds; answer(results: Promise<readonly Result[]>): void }[] = [];
  return (side, name, feeds) =>
    new Promise((resolve, reject) => {
      waiting.push({ side, feeds, answer: (results) => results.then((all) => resolve(all[side]!), reject) });
      if (waiting.length < sides) return;
      const all = waiting.sort((a, b) => a.side - b.side);
      waiting = [];
      const results = body(
        name,
        all.map((each) => each.feeds),
      );
      for (const { answer } of all) answer(results);
    });
}

function flatGraphs(module: Module): Partial<Record<GraphName, Graph>> {
  const prefix = findGraph(module, "prefix");
  return { block: flatten(module, "block"), ...(prefix && { prefix: flatten(module, "prefix") }) };
}

/** What a session on the host has to know of the graphs. */
function portsOf({ block, prefix }: Partial<Record<GraphName, Graph>>, batch: number) {
  const inputs = [block, prefix].flatMap((graph) =>
    (graph?.inputs ?? []).map(({ hint, type }) => ({
      name: hint ?? "",
      shape: type.shape.map((extent) => extent.value ?? batch),
    })),
  );
  return {
    batch,
    inputs,
    hasPrefix: prefix !== undefined,
    zeros: (count: number): FloatArray => new Float64Array(count),
  };
}

/** The inputs of a graph in its order; a level for all rows is repeated. */
function inputsOf(graph: Graph, feeds: BlockFeeds, filters: Named, batch: number): Tensor[] {
  return graph.inputs.map(({ hint = "", type }) => {
    const numbers = feeds[hint];
    if (numbers === undefined) return filters[hint] ?? bug(`@${graph.name} takes ${hint}`);
    const out = tensor(
      type.element,
      type.shape.map((extent) => extent.value ?? batch),
    );
    return { ...out, data: out.data.map((_, i) => numbers[numbers.length === 1 ? 0 : i]!) };
  });
}

function arrays(values: Named): Record<string, Float64Array> {
  return Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, data]));
}
