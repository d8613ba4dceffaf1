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

/** All parts, one after the other or added, damped. */
function stretched(c: GraphContext, scope: Scope, filter: MultiscaleFilter): Value {
  const { b } = c;
  const { scales, kernel_dim: size, groups, combine, init_scale: first } = filter;
  const multiplier =
    filter.damping === "multiplier" ? c.parameter(scope, "multiplier", [groups], "skip") : undefined;
  const parts = Array.from({ length: scales }, (_, i) => {
    const stored = c.parameter(scope, `scales.${i}`, [size, groups], "taps");
    const doublings = (combine === "cat" ? Math.max(0, i - 1) : i) + first;
    let part =
      filter.interpolation === "linear"
        ? interpolated(c, stored, 2 ** doublings)
        : repeated(c, stored, 2 ** doublings);
    for (let k = 0; multiplier !== undefined && k < scales - 1 - i; k++)
      part = b.emit("mul", { a: part, b: multiplier }, {});
    return part;
  });
  const whole = combine === "cat" ? joined(c, parts) : added(c, parts);
  if (multiplier !== undefined) return whole;
  return b.emit("mul", { a: whole, b: power(c, whole, c.parameter(scope, "decay", [groups], "skip")) }, {});
}

function joined(c: GraphContext, parts: readonly Value[]): Value {
  return parts.length === 1 ? parts[0]! : c.b.emit("concat", { xs: parts }, { axis: 0 });
}

/** The sum of parts, zeros behind the shorter ones; the last is the longest. */
function added(c: GraphContext, parts: readonly Value[]): Value {
  const rows = (part: Value): number => part.type.shape[0]!.value!;
  const length = rows(parts.at(-1)!);
  const filled = parts.map((x) =>
    rows(x) === length
      ? x
      : c.b.emit("pad", { x }, { axis: 0, before: dim(0), after: dim(length - rows(x)) }),
  );
  return filled.reduce((sum, part) => c.b.emit("add", { a: sum, b: part }, {}));
}

/** (t + 1)^-decay for the rows t of k. */
function power(c: GraphContext, k: Value, decay: Value): Value {
  const { b } = c;
  const length = k.type.shape[0]!;
  const values = Array.from({ length: length.value! }, (_, t) => -Math.log(t + 1));
  const logs = b.emit("literal", {}, { values, shape: [length, dim(1)] });
  return b.emit("exp", { x: b.emit("mul", { a: logs, b: decay }, {}) }, {});
}

/** [n, groups] to [f n, groups], every row f times. */
function repeated(c: GraphContext, x: Value, factor: number): Value {
  if (factor === 1) return x;
  const [n, groups] = x.type.shape.map((extent) => extent.value!) as [number, number];
  const rows = c.b.emit("reshape", { x }, { shape: [dim(n), dim(1), dim(groups)] });
  const copies = c.b.emit("broadcast", { x: rows }, { shape: [dim(n), dim(factor), dim(groups)] });
  return c.b.emit("reshape", { x: copies }, { shape: [dim(n * factor), dim(groups)] });
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
