// Weights, splats, literals and indices: constants that are stored when (and as) a node uses them.
import { type Dim, dim } from "../../ir/dim.js";
import { type Element, tensor } from "../../ir/tensor.js";
import type { GraphBuilder } from "../graph-builder.js";
import type { OnnxLowerings } from "../lowering.js";
import { expand } from "../nodes.js";
import { type OnnxValue, onnxElement } from "../value.js";

const numbers = (shape: readonly Dim[]): number[] | undefined => {
  const known = shape.map((extent) => extent.value);
  return known.every((n) => n !== undefined) ? known : undefined;
};

function held(b: GraphBuilder, element: Element, shape: readonly number[], values: Float64Array): OnnxValue {
  const data = tensor(element, shape, values);
  return b.constant(
    "constant",
    { element: onnxElement(element), shape: shape.map((n) => dim(n)) },
    { read: () => data },
  );
}

/** `weight` itself is lowered by lower-graph.ts, which knows where the module's weights are. */
export const constants = {
  constant(_, { value, shape, element }, b) {
    const known = numbers(shape);
    const size = known?.reduce((n, extent) => n * extent, 1);
    if (known !== undefined && size! <= 16)
      return held(b, element, known, new Float64Array(size!).fill(value));
    // A large or batch-sized splat is one number, repeated when the graph runs (ONNX Runtime folds it on load).
    return expand(b, held(b, element, [], Float64Array.of(value)), shape);
  },
  literal: (_, { values, shape, element }, b) => held(b, element, numbers(shape)!, Float64Array.from(values)),
  iota(_, { length, element }, b) {
    const n = length.value!;
    return held(
      b,
      element,
      [n],
      Float64Array.from({ length: n }, (_none, i) => i),
    );
  },
} satisfies OnnxLowerings;
