// Seeded numbers for checking: the same name gives the same tensor in every run and on every machine.

import type { Graph, Module } from "./graph.js";
import { count, type Element, numbersPer, type Tensor, tensor } from "./tensor.js";

/** Numbers in [0, 1) from a text: FNV-1a of the text seeds a 32-bit xorshift-multiply counter generator. */
export function seededUniform(text: string): () => number {
  let state = 0x811c9dc5;
  for (const ch of text) state = Math.imul(state ^ ch.codePointAt(0)!, 0x01000193);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Real numbers in [-1, 1), integers in [0, below), booleans, by name. */
export function seededTensor(name: string, element: Element, shape: readonly number[], below = 4): Tensor {
  const next = seededUniform(name);
  const data = Float64Array.from({ length: count(shape) * numbersPer(element) }, () =>
    element === "bool"
      ? Math.floor(2 * next())
      : element === "i32"
        ? Math.floor(below * next())
        : 2 * next() - 1,
  );
  return tensor(element, shape, data);
}

/**
 * Inputs of a graph at the given sizes of its free dims, by input name. Integers stay below the shortest
 * table that any `take` of the module reads, so that they can be tokens.
 */
export function seededInputs(
  module: Module,
  graph: Graph,
  sizes: ReadonlyMap<string, number>,
  seed = "",
): readonly Tensor[] {
  const tables = module.graphs.flatMap((g) =>
    g.ops.flatMap((op) => (op.name === "take" ? [op.operands[0]!.type.shape[0]!.evaluate(sizes)] : [])),
  );
  const below = Math.min(...tables, 4);
  return graph.inputs.map((input, i) =>
    seededTensor(
      `${seed}/${graph.name}/${input.hint ?? i}`,
      input.type.element,
      input.type.shape.map((extent) => extent.evaluate(sizes)),
      below,
    ),
  );
}
