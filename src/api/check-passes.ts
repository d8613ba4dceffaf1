// Did the passes of a target keep the values? The lowered module and the planned one, both in float64, on the
// same inputs. A pass may reorder float64 sums, so the two differ by float64 rounding; what it may not do is show
// in float32: the difference must stay below 2^-16 of the error that float32 rounding itself is predicted to make.

import { evaluate } from "../ir/evaluate.js";
import { findGraph, type Graph, type Module, type Value } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";
import { largestDifference } from "../passes/check-values.js";
import { onnxRuntimeCpu } from "../runtime-check/accuracy.js";
import { flatten } from "../runtime-check/flatten.js";
import { type InputOptions, makeInputs } from "../runtime-check/inputs.js";
import { predict } from "../runtime-check/predict.js";
import { bug } from "../support/diagnostic.js";

export interface PassesCheck {
  readonly graph: string;
  readonly output: string;
  /** Largest difference between the lowered and the planned module, float64 both. */
  readonly difference: number;
  /** Largest error predicted for an honest float32 run of the lowered module. */
  readonly predicted: number;
  readonly agrees: boolean;
}

/** 2^-16: passes that stay below this part of the float32 error cannot be seen in a float32 result. */
export const invisible = 2 ** -16;

/** Compares every graph that both modules have. */
export function checkPasses(lowered: Module, planned: Module, options: InputOptions): PassesCheck[] {
  return lowered.graphs.flatMap((graph) => {
    const counterpart = findGraph(planned, graph.name);
    if (counterpart === undefined) return [];
    const flat = flatten(lowered, graph.name);
    const inputs = makeInputs(flat, options);
    const expected = evaluate(lowered, graph.name, inputs);
    const actual = evaluate(planned, graph.name, inputsOf(planned, counterpart, graph, inputs));
    const prediction = predict(lowered, flat, inputs, {
      accuracy: onnxRuntimeCpu,
      runs: 3,
      seed: options.seed ?? 0,
    });
    return graph.outputNames.flatMap((name, i): PassesCheck[] => {
      // An output that a pass dropped has no value to compare.
      const found = actual[counterpart.outputNames.indexOf(name)];
      if (found === undefined) return [];
      const difference = largestDifference(expected[i]!, found).size;
      const predicted = prediction.values.get(flat.outputs[i]!)?.largest ?? 0;
      const size = expected[i]!.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const agrees = difference <= invisible * Math.max(predicted, size * 2 ** -24);
      return [{ graph: graph.name, output: name, difference, predicted, agrees }];
    });
  });
}

/** Graphs whose outputs are inputs of others. */
const makers = ["time", "encode", "filters"];

/** Inputs by name; what @time, @encode and @filters make, the planned module's own graphs compute. */
function inputsOf(planned: Module, counterpart: Graph, graph: Graph, inputs: readonly Tensor[]): Tensor[] {
  const named = new Map(graph.inputs.map((value, i) => [value.hint, inputs[i]!]));
  const inputOf = (value: Value): Tensor => {
    const known = named.get(value.hint);
    if (known !== undefined) return known;
    const maker = makers
      .map((name) => findGraph(planned, name))
      .find((made) => made?.outputNames.includes(value.hint ?? ""));
    if (maker === undefined) return bug(`@${graph.name} takes ${value.hint}, which no graph makes`);
    const made = evaluate(planned, maker.name, maker.inputs.map(inputOf));
    return made[maker.outputNames.indexOf(value.hint ?? "")]!;
  };
  return counterpart.inputs.map(inputOf);
}
