// The choice of the k largest, as a mask: what the routers of mixtures of experts decide. A mask and not indices,
// so that what follows is arithmetic over all, of fixed shapes.

import { lines } from "../loops.js";
import { attribute, defineOp, rounding } from "../op.js";
import { tensor } from "../tensor.js";
import { typeText } from "../type.js";

export const topMask = defineOp({
  name: "top_mask",
  summary:
    "y[i] = #{j : x[j] > x[i], or x[j] = x[i] and j < i} < k along axis: the k largest, ties to the lowest index",
  operands: ["x"],
  attributes: { axis: attribute.int, k: attribute.int },
  fusion: "reduction",
  type({ x }, { axis, k }, check) {
    check.that(
      x.element === "f32" || x.element === "f16",
      "top_mask_c1",
      `x must be f32 or f16, got ${typeText(x)}`,
    );
    const inRange = axis >= 0 && axis < x.shape.length;
    check.that(inRange, "top_mask_c2", `axis ${axis} is out of range for rank ${x.shape.length}`);
    const length = inRange ? x.shape[axis]!.value : undefined;
    check.that(
      k >= 1 && (length === undefined || k <= length),
      "top_mask_c3",
      `k must be 1 .. ${length ?? "the extent"}, got ${k}`,
    );
    return [{ element: "bool", shape: x.shape }];
  },
  evaluate({ x }, { axis, k }) {
    const out = tensor("bool", x.shape);
    const n = x.shape[axis]!;
    lines(x.shape, axis, n, (start, _, stride) => {
      const at = (i: number): number => x.data[start + i * stride]!;
      const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => at(j) - at(i) || i - j);
      for (const i of order.slice(0, k)) out.data[start + i * stride] = 1;
    });
    return [out];
  },
  rounding: rounding.exact,
});
