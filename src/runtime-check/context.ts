// What op definitions ask for while a graph without calls is evaluated outside ir/evaluate.ts.

import { bindSizes } from "../ir/evaluate.js";
import type { Graph, Module } from "../ir/graph.js";
import type { EvaluateContext } from "../ir/op.js";
import type { Tensor } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";

/** Sizes from the inputs, weights from the module; calls must have been flattened. */
export function contextOf(module: Module, graph: Graph, inputs: readonly Tensor[]): EvaluateContext {
  const sizes = bindSizes(graph, inputs);
  const weights = new Map<string, Tensor>();
  return {
    size: (extent) => extent.evaluate(sizes),
    shape: (extents) => extents.map((extent) => extent.evaluate(sizes)),
    weight(name) {
      const known = weights.get(name) ?? module.weights.read(name);
      weights.set(name, known);
      return known;
    },
    call: (name) => bug(`@${name} is called in a graph that should be flat`),
  };
}
