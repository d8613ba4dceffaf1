// Views that vanish when they would change nothing, so that lowered text shows only what is done.

import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { Emitter } from "../../ir/rewrite.js";
import { sameShape } from "../../ir/type.js";

/** x under another shape. */
export function reshaped(b: Emitter, x: Value, shape: readonly (Dim | number)[], hint?: string): Value {
  const wanted = shape.map(dim);
  return sameShape(x.type.shape, wanted) ? x : b.emit("reshape", { x }, { shape: wanted }, hint);
}

/** x[start .. start + length) along axis. */
export function sliced(b: Emitter, x: Value, axis: number, start: number, length: number): Value {
  if (start === 0 && x.type.shape[axis]!.value === length) return x;
  return b.emit("slice", { x }, { axis, start: dim(start), length: dim(length) });
}

/** x with zeros before and after along axis. */
export function padded(b: Emitter, x: Value, axis: number, before: number, after: number): Value {
  if (before === 0 && after === 0) return x;
  return b.emit("pad", { x }, { axis, before: dim(before), after: dim(after) });
}

/** The operands one after the other along axis. */
export function joined(b: Emitter, xs: readonly Value[], axis: number): Value {
  return xs.length === 1 ? xs[0]! : b.emit("concat", { xs }, { axis });
}
