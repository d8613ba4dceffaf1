// A whole generation of a model whose loop is on the host and whose network is one graph, @denoise: the same loop with
// the same draws around the reference's network and around the candidate's.
//   teacher-forced   every call gets the reference's state: are the logits within what rounding explains, and which
//                    tokens come out differently?
//   free-running     the candidate generates on its own: where does the first token flip?
// All arithmetic after the logits is the same float64 code on both sides, so a token can differ only because logits
// did. Where these are within their predicted error the decision was a near tie, and is counted as one.

import { findGraph, type Graph, type Module, type Value } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import { bug, fail } from "../support/diagnostic.js";
import type { Candidate } from "./candidate.js";
import { encodedInputs, encoderInput } from "./encoder-feed.js";
import { flatten } from "./flatten.js";
import { judgeValues } from "./judge-values.js";
import { defaultRuns, predict } from "./predict.js";
import { stored } from "./stored.js";
import { type Named, nothing, type Supplied, supply } from "./supplied.js";
import type { FirstFlip, StepCheck, TrajectoryReport } from "./trajectory.js";

export interface CallOptions {
  readonly batch?: number;
  readonly seed?: number;
  readonly runs?: number;
  readonly falseAlarm?: number;
}

/** The tokens after an update. */
export interface Reached {
  readonly tokens: Int32Array;
}

/** What one call of the network is fed, by the names of the graph's inputs, flat. */
export type CallInputs = Readonly<Record<string, ArrayLike<number>>>;

/** The network of a generation: @denoise to logits. */
export type Network = (inputs: CallInputs) => Promise<Float64Array>;

/** The generation that is checked. */
export interface CallLoop {
  /** Updates of the plan: what the chance of a false alarm is shared by. */
  readonly updates: number;
  /** Every state around a network; where `expected` is given, each state is replaced by the next of it. */
  generate(network: Network, expected?: readonly Int32Array[]): AsyncIterable<Reached>;
}

/** One judged call of the network. */
interface Call {
  readonly level: number;
  readonly check: StepCheck;
  /** What an honest implementation's logits may be off by. */
  readonly allowed: number;
  readonly actual: Float64Array;
}

/** Runs the loop. Needs @denoise to logits. */
export async function checkCalls(
  module: Module,
  candidate: Candidate,
  loopOf: (graph: Graph) => CallLoop,
  options: CallOptions,
): Promise<TrajectoryReport> {
  const { batch = 1 } = options;
  if (findGraph(module, "denoise") === undefined)
    fail("check/no-step", "a trajectory needs the graph @denoise, which this module lacks", {
      help: "compile a whole model, not a part of one",
    });
  const graph = flatten(module, "denoise");
  const loop = loopOf(graph);
  const made = await suppliedFilters(module, candidate, options);
  const calls: Call[] = [];
  const states: (Reached & { readonly judged: Call })[] = [];
  const judged: Network = async (inputs) => {
    const given = feed(module, graph, { ...inputs, ...rounded(made.reference) }, batch);
    const { call, logits } = await judgeCall(module, graph, candidate, given, loop.updates, options);
    calls.push({ ...call, level: inputs.level?.[0] ?? 0 });
    return logits;
  };
  // A call serves every update up to the next one: an unchanged state is not computed twice. Under guidance there are two.
  let before = 0;
  for await (const state of loop.generate(judged)) {
    states.push({ ...state, judged: worst(calls.slice(Math.min(before, calls.length - 1))) });
    before = calls.length;
  }

  let asked = 0;
  const forced: number[] = [];
  const expected = states.map(({ tokens }) => tokens);
  for await (const { tokens } of loop.generate(async () => calls[asked++]!.actual, expected))
    forced.push(differing(tokens, expected[forced.length]!).length);

  const own: Network = async (inputs) => {
    const given = feed(module, graph, { ...inputs, ...rounded(made.candidate) }, batch);
    const [logits] = await candidate.run(module, "denoise", given);
    return logits!.data;
  };
  const free: Int32Array[] = [];
  for await (const { tokens } of loop.generate(own)) free.push(tokens);

  const length = graph.outputs[0]!.type.shape[1]!.value!;
  let firstFlip: FirstFlip | undefined;
  const steps = states.map(({ tokens, judged: { level, check, allowed } }, step) => {
    const flips = forced[step]!;
    const apart = free[step] === undefined ? [] : differing(free[step], tokens);
    const after = firstFlip !== undefined;
    if (firstFlip === undefined && apart.length > 0) {
      const at = apart[0]!;
      const [row, position] = [Math.floor(at / length), at % length];
      const [expected, actual] = [tokens[at]!, free[step]![at]!];
      firstFlip = { step, row, position, expected, actual, margin: check.error, allowed };
    }
    const near = check.status === "fail" ? 0 : flips;
    const status = check.status === "fail" ? "fail" : flips > 0 ? "near-tie" : check.status;
    return {
      step,
      level,
      forced: { ...check, status, flips, nearTies: near },
      free: {
        ...check,
        status:
          check.status === "fail"
            ? "fail"
            : after
              ? "after-near-tie"
              : apart.length > 0
                ? "near-tie"
                : "pass",
        flips: apart.length,
        nearTies: check.status === "fail" ? 0 : apart.length,
      },
    } as const;
  });
  return {
    agrees: steps.every((step) => step.forced.status !== "fail"),
    steps,
    ...(firstFlip && { firstFlip }),
  };
}

/** The call that went worst: one that failed, else the one of the largest strain. */
function worst(calls: readonly Call[]): Call {
  const failed = calls.find(({ check }) => check.status === "fail");
  return failed ?? calls.reduce((a, b) => (b.check.strain > a.check.strain ? b : a));
}

/** What @filters makes of the weights, where the module has it. */
export function suppliedFilters(
  module: Module,
  candidate: Candidate,
  { runs = defaultRuns, seed = 0 }: CallOptions,
): Promise<Supplied> {
  const noInput = ({ hint }: Value): never => bug(`@filters takes ${hint}`);
  const options = { accuracy: candidate.accuracy, runs, seed };
  return supply(module, candidate, "filters", noInput, nothing, options);
}

/** Numbers as a graph's inputs hold them. */
function rounded(values: Named): CallInputs {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, stored(value).data]));
}

/** The reference's logits of a call, and the candidate's judged against them. */
async function judgeCall(
  module: Module,
  graph: Graph,
  candidate: Candidate,
  given: readonly Tensor[],
  updates: number,
  { runs = defaultRuns, seed = 0, falseAlarm = 1e-4 }: CallOptions,
): Promise<{ readonly call: Omit<Call, "level">; readonly logits: Float64Array }> {
  const prediction = predict(module, graph, given, { accuracy: candidate.accuracy, runs, seed });
  const [actual] = await candidate.run(module, "denoise", given);
  const value = graph.outputs[0]!;
  const alpha = falseAlarm / Math.max(1, updates * 2);
  const verdict = judgeValues(graph, [value], [actual!], prediction, { alpha }).get(value)!;
  const predicted = prediction.values.get(value)?.largest ?? 0;
  const check: StepCheck = {
    status: verdict.status,
    error: verdict.comparison?.maxAbsolute ?? 0,
    predicted,
    strain: verdict.strain,
    flips: 0,
    nearTies: 0,
  };
  return {
    call: { check, allowed: predicted, actual: actual!.data },
    logits: prediction.reference.get(value)!.data,
  };
}

/** The inputs of @denoise in its order; a single number is repeated for the batch. Throws `check/unknown-input`. */
function feed(module: Module, graph: Graph, inputs: CallInputs, batch: number): Tensor[] {
  const encoded = encodedInputs(module, batch);
  return graph.inputs.map((value: Value) => {
    const { hint = "", type } = value;
    const ofEncoder = encoderInput(value, batch) ?? encoded[hint];
    if (ofEncoder !== undefined) return ofEncoder;
    const numbers = inputs[hint];
    if (numbers === undefined)
      return fail(
        "check/unknown-input",
        `@denoise takes "${hint}", and a trajectory cannot say what that is`,
        {
          help: "check @denoise on its own instead: its inputs are drawn at random",
        },
      );
    const shape = type.shape.map((extent) => extent.value ?? batch);
    const out = tensor(type.element, shape);
    return stored({ ...out, data: out.data.map((_, i) => numbers[numbers.length === 1 ? 0 : i]!) });
  });
}

/** Where two states differ. */
export function differing(a: Int32Array, b: Int32Array): number[] {
  return Array.from(a.keys()).filter((i) => a[i] !== b[i]);
}
