// Damped exponential moving averages (Ma et al. 2023, "Mega: Moving Average Equipped Gated Attention"): every channel is
// spread over several averages and brought back, k[t] = sum_n output_n a_n input_n (1 - a_n d_n)^t / sqrt(N).

import type { DampedEmaFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { arrange, type Taps, twinOf } from "./layout.js";
import { row } from "./poles.js";

export function lowerDampedEma(c: GraphContext, scope: Scope, filter: DampedEmaFilter): Taps {
  // The formula goes on beyond the length the filter was made for.
  const length = Math.max(filter.length, c.lowering.sequence);
  const taps = (at: Scope): Value => averages(c, at, filter, length);
  const reverse = twinOf(filter) ? taps(child(scope, "reverse")) : undefined;
  return arrange(c, { ...filter, length }, taps(scope), reverse);
}

/** Taps [T, groups]. */
function averages(
  c: GraphContext,
  scope: Scope,
  { groups, states, damping }: DampedEmaFilter,
  length: number,
): Value {
  const { b } = c;
  const stored = (name: string, init: "bias" | "residues"): Value =>
    row(c, c.parameter(scope, name, [groups, states], init), states);
  const mul = (x: Value, y: Value): Value => b.emit("mul", { a: x, b: y }, {});
  const share = b.emit("sigmoid", { x: stored("alpha", "bias") }, {}, "share");
  const taken = damping ? mul(share, b.emit("sigmoid", { x: stored("delta", "bias") }, {})) : share;
  const kept = b.emit("log", { x: b.emit("scale", { x: taken }, { factor: -1, offset: 1 }) }, {}, "log_kept");
  const rows = { shape: [dim(length), dim(1), dim(1)] };
  const times = b.emit("reshape", { x: b.emit("iota", {}, { length: dim(length) }) }, rows);
  const weights = mul(mul(share, stored("input", "residues")), stored("output", "residues"));
  const terms = mul(weights, b.emit("exp", { x: mul(times, kept) }, {}));
  const sum = b.emit("reduce_sum", { x: terms }, { axis: 2, keepdims: false });
  return b.emit("scale", { x: sum }, { factor: 1 / Math.sqrt(states) }, "taps");
}
