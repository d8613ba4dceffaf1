// Explicit filters: the taps are parameters, [length, groups] (two lengths for full_2l), smoothed and squashed where the
// model was trained so (Fu et al. 2023, "Simple Hardware-Efficient Long Convolutions for Sequence Modeling", LongConv).

import type { ExplicitFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { softShrink } from "../layers.js";
import { arrange, type Taps, twinOf } from "./layout.js";

export function lowerExplicit(c: GraphContext, scope: Scope, filter: ExplicitFilter): Taps {
  const taps = (at: Scope, rows: number): Value =>
    softShrink(
      c,
      smoothed(c, c.parameter(at, "taps", [rows, filter.groups], "taps"), filter.smoothing),
      filter.squash,
    );
  const forward = taps(scope, filter.reverse_filter === "full_2l" ? 2 * filter.length : filter.length);
  return arrange(
    c,
    filter,
    forward,
    twinOf(filter) ? taps(child(scope, "reverse"), filter.length) : undefined,
  );
}

/** The mean of the `window` taps around each, zeros beyond both ends, always divided by the whole window. */
function smoothed(c: GraphContext, k: Value, window: number): Value {
  if (window === 1) return k;
  const { b } = c;
  const reach = (window - 1) / 2;
  const rows = k.type.shape[0]!;
  const padded = b.emit("pad", { x: k }, { axis: 0, before: dim(reach), after: dim(reach) });
  const shifted = Array.from({ length: window }, (_, s) =>
    b.emit("slice", { x: padded }, { axis: 0, start: dim(s), length: rows }),
  );
  const sum = shifted.reduce((total, part) => b.emit("add", { a: total, b: part }, {}));
  return b.emit("scale", { x: sum }, { factor: 1 / window }, "smoothed");
}
