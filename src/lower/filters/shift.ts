// Shift filters (Fu et al. 2023, "Hungry Hungry Hippos", H3): the state is the last inputs, s[t] = shift(s[t-1]) + B x[t]
// and y = C s, so the kernel is the correlation k[t] = sum_m B[m] C[m + t].

import type { ShiftFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { arrange, type Taps, twinOf } from "./layout.js";

export function lowerShift(c: GraphContext, scope: Scope, filter: ShiftFilter): Taps {
  const taps = (at: Scope): Value => correlation(c, at, filter);
  return arrange(c, filter, taps(scope), twinOf(filter) ? taps(child(scope, "reverse")) : undefined);
}

/** Taps [min(states, length), groups]. */
function correlation(c: GraphContext, scope: Scope, { groups, states, length }: ShiftFilter): Value {
  const { b } = c;
  const taps = Math.min(states, length);
  const input = c.parameter(scope, "input", [groups, states], "residues");
  const output = c.parameter(scope, "residues", [groups, states], "residues");
  const weighted = b.emit(
    "mul",
    {
      a: b.emit("reshape", { x: input }, { shape: [dim(groups), dim(states), dim(1)] }),
      b: shifted(c, output),
    },
    {},
  );
  const sum = b.emit("reduce_sum", { x: weighted }, { axis: 1, keepdims: false });
  const all = b.emit("transpose", { x: sum }, { permutation: [1, 0] }, "taps");
  return taps === states ? all : b.emit("slice", { x: all }, { axis: 0, start: dim(0), length: dim(taps) });
}

/**
 * [g, n] to [g, n, n]: row m is the line shifted by m to the left, zeros behind. Lines of 2 n written one after the
 * other and read in lines of 2 n + 1 start one later each time.
 */
function shifted(c: GraphContext, x: Value): Value {
  const { b } = c;
  const [groups, n] = x.type.shape.map((extent) => extent.value!) as [number, number];
  const line = b.emit("pad", { x }, { axis: 1, before: dim(0), after: dim(n) });
  const copies = Array.from({ length: n + 1 }, () => line);
  const flat = b.emit("concat", { xs: copies }, { axis: 1 });
  const read = b.emit("slice", { x: flat }, { axis: 1, start: dim(0), length: dim(n * (2 * n + 1)) });
  const rows = b.emit("reshape", { x: read }, { shape: [dim(groups), dim(n), dim(2 * n + 1)] });
  return b.emit("slice", { x: rows }, { axis: 2, start: dim(0), length: dim(n) });
}
