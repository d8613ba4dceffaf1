// Reductions over one axis.

import { dim } from "../../ir/dim.js";
import { attr } from "../attributes.js";
import type { OnnxLowerings } from "../lowering.js";
import { compare, reduce, unary } from "../nodes.js";

export const reductions = {
  reduce_sum: ({ x }, { axis, keepdims }, b) => reduce(b, "ReduceSum", x, axis, keepdims),
  reduce_mean: ({ x }, { axis, keepdims }, b) => reduce(b, "ReduceMean", x, axis, keepdims),
  reduce_max: ({ x }, { axis, keepdims }, b) => reduce(b, "ReduceMax", x, axis, keepdims),
  argmax({ x }, { axis }, b) {
    const shape = x.type.shape.filter((_, i) => i !== axis);
    const attributes = { axis: attr.int(axis), keepdims: attr.int(0), select_last_index: attr.int(0) };
    return b.node("ArgMax", [x], { element: "int64", shape }, attributes);
  },
  // TopK takes the lowest index of equals; its indices become a mask over an empty one.
  top_mask({ x }, { axis, k }, b) {
    const chosen = x.type.shape.map((extent, i) => (i === axis ? dim(k) : extent));
    const types = [
      { element: x.type.element, shape: chosen },
      { element: "int64", shape: chosen },
    ] as const;
    const [, indices] = b.nodeWithResults("TopK", [x, b.integers([k])], types, { axis: attr.int(axis) });
    const none = compare(b, "Less", x, x);
    const all = compare(b, "Equal", indices!, indices!);
    return b.node("ScatterElements", [none, indices!, all], none.type, { axis: attr.int(axis) });
  },
  softmax: ({ x }, { axis }, b) => unary(b, "Softmax", x, { axis: attr.int(axis) }),
} satisfies OnnxLowerings;
