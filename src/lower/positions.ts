// Absolute positions: what is added to every position of the trunk's input. To add one: a schema fragment, a line here.

import type { Positions, SinusoidalPositions } from "../description/description.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import type { GraphContext, Scope } from "./context.js";
import { lastExtent } from "./layers.js";

/** h f32[B, L, width] with the positions added. */
export function addPositions(c: GraphContext, scope: Scope, h: Value, positions: Positions): Value {
  if (positions.kind === "none") return h;
  const { b, lowering } = c;
  const width = lastExtent(h);
  if (positions.kind === "sinusoidal") return b.emit("add", { a: h, b: sinusoids(c, width, positions) }, {});
  const { length: rows, offset } = positions;
  const table = c.parameter(scope, "positions", [rows, width], "positions");
  const used =
    rows === lowering.sequence
      ? table
      : b.emit("slice", { x: table }, { axis: 0, start: dim(offset), length: lowering.length });
  return b.emit("add", { a: h, b: used }, {});
}

/** sin and cos of (t + offset) max_period^(-i/D) (Vaswani et al. 2017), [L, width]. */
function sinusoids(
  c: GraphContext,
  width: number,
  { layout, max_period: period, denominator, offset }: SinusoidalPositions,
): Value {
  const { b, lowering } = c;
  const rows = dim(lowering.sequence);
  const half = Math.floor(width / 2);
  const spread = Math.max(1, denominator === "half" ? half : half - 1);
  const values = Array.from({ length: half }, (_, i) => period ** (-i / spread));
  const steps = b.emit("reshape", { x: b.emit("iota", {}, { length: rows }) }, { shape: [rows, dim(1)] });
  const numbers = offset === 0 ? steps : b.emit("scale", { x: steps }, { offset });
  const angle = b.emit("mul", { a: numbers, b: b.emit("literal", {}, { values, shape: [dim(half)] }) }, {});
  const waves = [b.emit("sin", { x: angle }, {}), b.emit("cos", { x: angle }, {})];
  const columns = (x: Value): Value => b.emit("reshape", { x }, { shape: [rows, dim(half), dim(1)] });
  const pairs =
    layout === "halves"
      ? b.emit("concat", { xs: waves }, { axis: 1 })
      : b.emit(
          "reshape",
          { x: b.emit("concat", { xs: waves.map(columns) }, { axis: 2 }) },
          { shape: [rows, dim(2 * half)] },
        );
  return width % 2 === 0
    ? pairs
    : b.emit("pad", { x: pairs }, { axis: 1, before: dim(0), after: dim(1) }, "positions");
}
