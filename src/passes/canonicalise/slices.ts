// Rules of ops that take parts and put them together: slice, pad, concat.

import type { Dim } from "../../ir/dim.js";
import { type Rule, rule } from "../../ir/rewrite.js";
import { madeBy } from "./views.js";

export const sliceRules: readonly Rule[] = [
  // the slice that takes everything is x
  rule("slice", ({ x }, { axis, length }) => (length.equals(x.type.shape[axis]!) ? [x] : undefined)),
  // x[s ..][t ..] = x[s + t ..]
  rule("slice", ({ x }, { axis, start, length }, b) => {
    const inner = madeBy(b, x, "slice");
    if (inner?.attributes.axis !== axis) return undefined;
    const first = inner.attributes.start as Dim;
    return [b.emit("slice", { x: inner.operands[0]! }, { axis, start: first.plus(start), length })];
  }),
  // a slice within one part of a concat is a slice of that part
  rule("slice", ({ x }, { axis, start, length }, b) => {
    const whole = madeBy(b, x, "concat");
    if (whole?.attributes.axis !== axis) return undefined;
    let before = start;
    for (const part of whole.operands) {
      const extent = part!.type.shape[axis]!;
      if (before.min < 0) return undefined;
      if (extent.minus(before).minus(length).min >= 0)
        return [b.emit("slice", { x: part! }, { axis, start: before, length })];
      before = before.minus(extent);
    }
    return undefined;
  }),
  // no padding is x
  rule("pad", ({ x }, { before, after }) => (before.value === 0 && after.value === 0 ? [x] : undefined)),
  // padding twice along an axis is padding once
  rule("pad", ({ x }, { axis, before, after }, b) => {
    const inner = madeBy(b, x, "pad");
    if (inner?.attributes.axis !== axis) return undefined;
    const [first, last] = [inner.attributes.before as Dim, inner.attributes.after as Dim];
    return [
      b.emit("pad", { x: inner.operands[0]! }, { axis, before: before.plus(first), after: after.plus(last) }),
    ];
  }),
  // a concat of one is x
  rule("concat", ({ xs }) => (xs.length === 1 ? [xs[0]!] : undefined)),
];
