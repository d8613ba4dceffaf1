// Multi-scale filters (Li et al. 2023, "What Makes Convolutional Models Great on Long Sequence Modeling?", SGConv): parts
// of a fixed size, stretched by linear interpolation to ever longer stretches and damped by powers of a multiplier.

import type { MultiscaleFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { arrange, type Taps, twinOf } from "./layout.js";

export function lowerMultiscale(c: GraphContext, scope: Scope, filter: MultiscaleFilter): Taps {
  const taps = (at: Scope): Value => {
    const norm = c.parameter(at, "norm", [filter.groups], "norm");
    return c.b.emit("div", { a: fitted(c, stretched(c, at, filter)), b: norm }, {}, "taps");
  };
  return arrange(c, filter, taps(scope), twinOf(filter) ? taps(child(scope, "reverse")) : undefined);
}

/** All parts one after the other. */
function stretched(
  c: GraphContext,
  scope: Scope,
  { scales, kernel_dim: size, groups }: MultiscaleFilter,
): Value {
  const { b } = c;
  const multiplier = c.parameter(scope, "multiplier", [groups], "skip");
  const parts = Array.from({ length: scales }, (_, i) => {
    let part = interpolated(
      c,
      c.parameter(scope, `scales.${i}`, [size, groups], "taps"),
      2 ** Math.max(0, i - 1),
    );
    for (let k = 0; k < scales - 1 - i; k++) part = b.emit("mul", { a: part, b: multiplier }, {});
    return part;
  });
  return parts.length === 1 ? parts[0]! : b.emit("concat", { xs: parts }, { axis: 0 });
}

/**
 * [n, groups] to [f n, groups]: sample j lies at (j + 1/2)/f - 1/2, clamped to [0, n-1]. With j = i f + r that is the
 * same mixture of rows i-1, i, i+1 for every i, its weights depending on r alone.
 */
function interpolated(c: GraphContext, x: Value, factor: number): Value {
  if (factor === 1) return x;
  const { b } = c;
  const [n, groups] = x.type.shape.map((extent) => extent.value!) as [number, number];
  const rows = (start: number, length: number): Value =>
    b.emit("slice", { x }, { axis: 0, start: dim(start), length: dim(length) });
  const before = n === 1 ? x : b.emit("concat", { xs: [rows(0, 1), rows(0, n - 1)] }, { axis: 0 });
  const after = n === 1 ? x : b.emit("concat", { xs: [rows(1, n - 1), rows(n - 1, 1)] }, { axis: 0 });
  const offset = Array.from({ length: factor }, (_, r) => (r + 0.5) / factor - 0.5);
  const mixed = [
    [before, offset.map((o) => Math.max(0, -o))],
    [x, offset.map((o) => 1 - Math.abs(o))],
    [after, offset.map((o) => Math.max(0, o))],
  ] as const;
  const terms = mixed.map(([row, values]) => {
    const weights = b.emit("literal", {}, { values, shape: [dim(factor), dim(1)] });
    const spread = b.emit("reshape", { x: row }, { shape: [dim(n), dim(1), dim(groups)] });
    return b.emit("mul", { a: spread, b: weights }, {});
  }) as [Value, Value, Value];
  const sum = b.emit("add", { a: b.emit("add", { a: terms[0], b: terms[1] }, {}), b: terms[2] }, {});
  return b.emit("reshape", { x: sum }, { shape: [dim(n * factor), dim(groups)] });
}

/** Cut to the sequence, or filled with zeros. */
function fitted(c: GraphContext, x: Value): Value {
  const length = c.lowering.sequence;
  const rows = x.type.shape[0]!.value!;
  if (rows === length) return x;
  return rows > length
    ? c.b.emit("slice", { x }, { axis: 0, start: dim(0), length: dim(length) })
    : c.b.emit("pad", { x }, { axis: 0, before: dim(0), after: dim(length - rows) });
}
