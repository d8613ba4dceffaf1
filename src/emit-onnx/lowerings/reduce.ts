// Reductions over one axis.
import { attr } from "../attributes.js";
import type { OnnxLowerings } from "../lowering.js";
import { reduce, unary } from "../nodes.js";

export const reductions = {
  reduce_sum: ({ x }, { axis, keepdims }, b) => reduce(b, "ReduceSum", x, axis, keepdims),
  reduce_mean: ({ x }, { axis, keepdims }, b) => reduce(b, "ReduceMean", x, axis, keepdims),
  reduce_max: ({ x }, { axis, keepdims }, b) => reduce(b, "ReduceMax", x, axis, keepdims),
  argmax({ x }, { axis }, b) {
    const shape = x.type.shape.filter((_, i) => i !== axis);
    const attributes = { axis: attr.int(axis), keepdims: attr.int(0), select_last_index: attr.int(0) };
    return b.node("ArgMax", [x], { element: "int64", shape }, attributes);
  },
  softmax: ({ x }, { axis }, b) => unary(b, "Softmax", x, { axis: attr.int(axis) }),
} satisfies OnnxLowerings;
