// Biases of attention scores by distance, [heads, 2 L - 1]: column j - i + L - 1 is added to the score of query i and key
// j. To add a kind: a schema fragment, a case here.

import type { AttentionMixer, BucketedBias } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";

/** The table of an attention mixer over the positions of the sequence; undefined where it has none. */
export function positionBias(
  c: GraphContext,
  scope: Scope,
  { heads, position_bias: bias }: AttentionMixer,
  length: number,
): Value | undefined {
  switch (bias.kind) {
    case "none":
      return undefined;
    case "alibi":
      return linearBiases(c, heads, length);
    case "bucketed":
      return ofRows(c, scope, { rows: bias.buckets, heads, length }, (distance) => bucket(bias, distance));
    case "distance": {
      const { max_distance: last } = bias;
      const row = (distance: number): number => Math.max(-last, Math.min(last, distance)) + last;
      return ofRows(c, scope, { rows: 2 * last + 1, heads, length }, row);
    }
  }
}

/** Column j - i + L - 1 is row `row(j - i)` of the parameter table [rows, heads]. */
function ofRows(
  c: GraphContext,
  scope: Scope,
  { rows, heads, length }: { readonly rows: number; readonly heads: number; readonly length: number },
  row: (distance: number) => number,
): Value {
  const { b } = c;
  const table = c.parameter(scope, "table", [rows, heads], "positions");
  const values = Array.from({ length: 2 * length - 1 }, (_, at) => row(at - length + 1));
  const indices = b.emit("literal", {}, { values, shape: [dim(values.length)], element: "i32" });
  return b.emit(
    "transpose",
    { x: b.emit("take", { table, indices }, {}) },
    { permutation: [1, 0] },
    "position_bias",
  );
}

/** The bucket of the distance j - i (Raffel et al. 2020, T5). */
function bucket({ buckets, max_distance: last, directions }: BucketedBias, distance: number): number {
  const both = directions === "both";
  const count = both ? buckets / 2 : buckets;
  const first = both && distance > 0 ? count : 0;
  const r = both ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(count / 2);
  if (r < exact) return first + r;
  // Ends of buckets at whole distances lose no bit to the logarithm.
  const steps = Math.floor((Math.log(r / exact) / Math.log(last / exact)) * (count - exact) + 1e-9);
  return first + Math.min(count - 1, exact + steps);
}

/** -m_h |j - i| (Press et al. 2022, "Train Short, Test Long", ALiBi). */
function linearBiases(c: GraphContext, heads: number, length: number): Value {
  const { b } = c;
  const columns = 2 * length - 1;
  const steps = b.emit("scale", { x: b.emit("iota", {}, { length: dim(columns) }) }, { offset: 1 - length });
  const distances = b.emit(
    "reshape",
    { x: b.emit("abs", { x: steps }, {}) },
    { shape: [dim(1), dim(columns)] },
  );
  const values = slopes(heads).map((slope) => -slope);
  const column = b.emit("literal", {}, { values, shape: [dim(heads), dim(1)] }, "slopes");
  return b.emit("mul", { a: column, b: distances }, {}, "position_bias");
}

/** 2^(-8 (h + 1) / n); where n is no power of two, those of the power below and every other one of the next. */
function slopes(n: number): number[] {
  const power = 2 ** Math.floor(Math.log2(n));
  const geometric = (count: number): number[] =>
    Array.from({ length: count }, (_, h) => 2 ** ((-8 * (h + 1)) / count));
  const between = geometric(2 * power).filter((_, h) => h % 2 === 0);
  return [...geometric(power), ...between.slice(0, n - power)];
}
