// Weights for tests: seeded by name, at the sizes of one evaluation.

import type { Dim } from "../../src/ir/dim.js";
import type { Module, WeightSource } from "../../src/ir/graph.js";
import { seededTensor } from "../../src/ir/seeded.js";
import type { Element } from "../../src/ir/tensor.js";

/** A source with every tensor that a `weight` op of the module names. Free dims have the given sizes. */
export function seededWeights(module: Module, sizes: ReadonlyMap<string, number>): WeightSource {
  const known = new Map<string, { element: Element; shape: readonly Dim[] }>();
  for (const graph of module.graphs)
    for (const op of graph.ops)
      if (op.name === "weight") known.set(op.attributes.name as string, op.results[0]!.type);
  return {
    has: (name) => known.has(name),
    read(name) {
      const type = known.get(name);
      if (type === undefined) throw new RangeError(`no weight named ${name}`);
      return seededTensor(
        name,
        type.element,
        type.shape.map((extent) => extent.evaluate(sizes)),
      );
    },
  };
}
