// rope: (x1, x2) -> (x1 cos a - x2 sin a, x2 cos a + x1 sin a), a[t, i] = max(t - skip, 0) base^(-2i/rotary).
// The tables come from positions and a literal, so fold-constants makes them once, in float64: a float32 sine of a
// large angle would be off by up to t 2^-24.

import { type Dim, dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { ropeFrequency } from "../ir/ops/attention.js";
import type { AttributeValues } from "../ir/ops/index.js";
import { type Emitter, rewriteModule, rule } from "../ir/rewrite.js";
import type { Pass } from "./pass.js";

interface Tables {
  readonly cos: Value;
  readonly sin: Value;
}

/** Which positions the rows of x are: those of a table over 0 .. count - 1 that `rows` picks. */
export interface RopePositions {
  readonly count: Dim;
  /** f32[count, n] -> f32[L, n]. */
  rows(table: Value): Value;
}

const expand = rule("rope", ({ x }, attributes, b) => [
  writeRope(b, x, attributes, { count: x.type.shape[1]!, rows: (table) => table }),
]);

/** The rotation of x f32[B, L, width] as products with the tables' rows. */
export function writeRope(
  b: Emitter,
  x: Value,
  attributes: AttributeValues<"rope">,
  positions: RopePositions,
): Value {
  const { heads, rotary, layout } = attributes;
  const [batch, length, width] = x.type.shape as [
    (typeof x.type.shape)[0],
    (typeof x.type.shape)[0],
    (typeof x.type.shape)[0],
  ];
  const size = width.value! / heads;
  const half = rotary / 2;
  const split = b.emit("reshape", { x }, { shape: [batch, length, dim(heads), dim(size)] });
  const part = (value: Value, axis: number, start: number, count: number): Value =>
    b.emit("slice", { x: value }, { axis, start: dim(start), length: dim(count) });
  const passed = rotary === size ? [] : [part(split, 3, rotary, size - rotary)];
  const turning = rotary === size ? split : part(split, 3, 0, rotary);
  let turned: Value;
  if (layout === "half") {
    const tables = positionTables(b, x, attributes, positions, [length, dim(1), dim(half)]);
    turned = joined(b, rotate(b, part(turning, 3, 0, half), part(turning, 3, half, half), tables), 3, passed);
  } else {
    const tables = positionTables(b, x, attributes, positions, [length, dim(1), dim(half), dim(1)]);
    const pairs = b.emit(
      "reshape",
      { x: turning },
      { shape: [batch, length, dim(heads), dim(half), dim(2)] },
    );
    const both = joined(b, rotate(b, part(pairs, 4, 0, 1), part(pairs, 4, 1, 1), tables), 4, []);
    const flat = b.emit("reshape", { x: both }, { shape: turning.type.shape });
    turned = passed.length === 0 ? flat : joined(b, [flat], 3, passed);
  }
  return b.emit("reshape", { x: turned }, { shape: x.type.shape });
}

function rotate(b: Emitter, x1: Value, x2: Value, { cos, sin }: Tables): Value[] {
  const product = (x: Value, table: Value): Value => b.emit("mul", { a: x, b: table }, {});
  return [
    b.emit("sub", { a: product(x1, cos), b: product(x2, sin) }, {}),
    b.emit("add", { a: product(x2, cos), b: product(x1, sin) }, {}),
  ];
}

function joined(b: Emitter, xs: readonly Value[], axis: number, rest: readonly Value[]): Value {
  return b.emit("concat", { xs: [...xs, ...rest] }, { axis });
}

/** cos and sin of a[t, i] as [L, .., rotary/2, ..], shaped to broadcast against the heads. */
function positionTables(
  b: Emitter,
  x: Value,
  attributes: AttributeValues<"rope">,
  { count, rows }: RopePositions,
  shape: readonly Dim[],
): Tables {
  const { rotary, skip } = attributes;
  const half = rotary / 2;
  const values = Array.from({ length: half }, (_, i) => ropeFrequency(i, attributes));
  const frequencies = b.emit("literal", {}, { values, shape: [dim(half)] }, "rope_frequencies");
  const index = b.emit("iota", {}, { length: count }, "position");
  const position =
    skip === 0 ? index : b.emit("relu", { x: b.emit("scale", { x: index }, { offset: -skip }) }, {});
  const column = b.emit("reshape", { x: position }, { shape: [count, dim(1)] });
  const angle = b.emit("mul", { a: column, b: frequencies }, {}, "rope_angle");
  const element = x.type.element as "f32" | "f16";
  const table = (name: "cos" | "sin"): Value => {
    const exact = b.emit(name, { x: angle }, {}, `rope_${name}`);
    const rounded = element === "f32" ? exact : b.emit("cast", { x: exact }, { to: element });
    return b.emit("reshape", { x: rows(rounded) }, { shape });
  };
  return { cos: table("cos"), sin: table("sin") };
}

export const expandRope: Pass = {
  name: "expand-rope",
  summary: "write rotary position embedding as products with cosine and sine tables",
  run: (module) => rewriteModule(module, "expand-rope", [expand]),
};
