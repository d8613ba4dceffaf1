// Weights read once for a whole check. A check evaluates its graphs hundreds of times, and every read decodes a tensor of
// the checkpoint, or draws a synthetic one, again.

import type { Module } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";

/** The module with every weight kept, as float64, from its first read on. */
export function heldWeights(module: Module): Module {
  const { weights } = module;
  const held = new Map<string, Tensor>();
  return {
    ...module,
    weights: {
      has: (name) => weights.has(name),
      read(name) {
        const known = held.get(name) ?? weights.read(name);
        held.set(name, known);
        return known;
      },
    },
  };
}
