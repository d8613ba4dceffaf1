// Linear recurrences h_t = a_t h_(t-1) + b_t along the positions, without a loop: after step k a pair (a, b) stands for
// 2^k positions, (a, b)_t <- (a_t a_(t-s), a_t b_(t-s) + b_t), s = 1, 2, 4 .. (Hillis and Steele 1986).

import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import type { GraphContext } from "./context.js";

/** h of a and b f32[B, L, ..], h_(-1) = 0. With |a| <= 1 no number grows. */
export function linearRecurrence(c: GraphContext, a: Value, b: Value): Value {
  const length = b.type.shape[1]!.value!;
  // Zeros before the first position: b there adds nothing, and a there multiplies none but these.
  const delayed = (x: Value, by: number): Value => {
    const kept = c.b.emit("slice", { x }, { axis: 1, start: dim(0), length: dim(length - by) });
    return c.b.emit("pad", { x: kept }, { axis: 1, before: dim(by), after: dim(0) });
  };
  let [factor, sum] = [a, b];
  for (let step = 1; step < length; step *= 2) {
    const carried = c.b.emit("mul", { a: factor, b: delayed(sum, step) }, {});
    sum = c.b.emit("add", { a: carried, b: sum }, {}, "state");
    if (2 * step < length) factor = c.b.emit("mul", { a: factor, b: delayed(factor, step) }, {});
  }
  return sum;
}
