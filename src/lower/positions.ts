// Absolute positions: what is added to every position of the trunk's input. To add one: a schema fragment, a line here.

import type { Positions } from "../description/description.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import type { GraphContext, Scope } from "./context.js";
import { lastExtent } from "./layers.js";

/** h f32[B, L, width] with the positions added. */
export function addPositions(c: GraphContext, scope: Scope, h: Value, positions: Positions): Value {
  if (positions.kind === "none") return h;
  const { b, lowering } = c;
  const width = lastExtent(h);
  const { length: rows, offset } = positions;
  const table = c.parameter(scope, "positions", [rows, width], "positions");
  const used =
    rows === lowering.sequence
      ? table
      : b.emit("slice", { x: table }, { axis: 0, start: dim(offset), length: lowering.length });
  return b.emit("add", { a: h, b: used }, {});
}
