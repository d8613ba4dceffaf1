// Weights computed from other weights: a layer over the module's source, evaluated when first read.

import type { WeightSource } from "../../ir/graph.js";
import type { Tensor } from "../../ir/tensor.js";

/** `base` and, by name, tensors computed on their first read and kept; `formulas` come from no learned weight. */
export function withComputedWeights(
  base: WeightSource,
  computed: ReadonlyMap<string, () => Tensor>,
  formulas: ReadonlySet<string> = new Set(),
): WeightSource {
  const kept = new Map<string, Tensor>();
  return {
    isFormula: (name) => formulas.has(name) || base.isFormula?.(name) === true,
    has: (name) => computed.has(name) || base.has(name),
    read(name) {
      const compute = computed.get(name);
      if (compute === undefined) return base.read(name);
      const value = kept.get(name) ?? compute();
      kept.set(name, value);
      return value;
    },
  };
}
