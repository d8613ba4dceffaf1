// What graphs hand on to others before a generation: @filters what it makes of weights, @time of a level, @encode of an
// encoder's output; from all three sides that a trajectory has.

import type { Graph, Module, Value } from "../ir/graph.js";
import { findGraph } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";
import type { Candidate } from "./candidate.js";
import { flatten } from "./flatten.js";
import { type PredictOptions, predict } from "./predict.js";

/** Tensors by the names of ports. */
export type Named = Readonly<Record<string, Tensor>>;

/** By the reference, in its perturbed runs, and by the candidate. */
export interface Supplied {
  readonly reference: Named;
  readonly perturbed: readonly Named[];
  readonly candidate: Named;
}

export const nothing: Supplied = { reference: {}, perturbed: [], candidate: {} };

/** `before`, and what graph `name` makes, where the module has it. All sides get inputs of the reference. */
export async function supply(
  module: Module,
  candidate: Candidate,
  name: string,
  inputOf: (value: Value) => Tensor,
  before: Supplied,
  options: PredictOptions,
): Promise<Supplied> {
  if (findGraph(module, name) === undefined) return before;
  const graph = flatten(module, name);
  const inputs = graph.inputs.map((value) => before.reference[value.hint ?? ""] ?? inputOf(value));
  const { reference, samples } = predict(module, graph, inputs, options);
  const made = (values: readonly Tensor[]): Named => namedOutputs(graph, values);
  return {
    reference: { ...before.reference, ...made(graph.outputs.map((v) => reference.get(v)!)) },
    perturbed: samples.map((sample, r) => ({ ...before.perturbed[r], ...made(sample) })),
    candidate: { ...before.candidate, ...made(await candidate.run(module, name, inputs)) },
  };
}

/** The outputs of a graph by name. */
export function namedOutputs({ outputNames }: Graph, values: readonly Tensor[]): Named {
  return Object.fromEntries(outputNames.map((name, i) => [name, values[i]!]));
}
