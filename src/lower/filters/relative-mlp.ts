// Filters that are a network of the lag itself (Qin et al. 2023, "Toeplitz Neural Network for Sequence Modeling", TNN):
//   k[t] = mlp(t) decay^|t|, one network for both signs of t where the layout is full_2l

import type { RelativeMlpFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { activate, linear, normalize } from "../layers.js";
import { arrange, type Taps, twinOf } from "./layout.js";

export function lowerRelativeMlp(c: GraphContext, scope: Scope, filter: RelativeMlpFilter): Taps {
  // The formula goes on beyond the length the filter was made for.
  const length = Math.max(filter.length, c.lowering.sequence);
  const lags = column(c, length, filter.reverse_filter === "full_2l");
  const taps = (at: Scope): Value => decayed(c, network(c, at, filter, lags), lags, filter.decay);
  const reverse = twinOf(filter) ? taps(child(scope, "reverse")) : undefined;
  return arrange(c, { ...filter, length }, taps(scope), reverse);
}

/** The lags 0 .. n-1, and for both signs -n .. -1 behind them, as [rows, 1]. */
function column(c: GraphContext, n: number, signed: boolean): Value {
  const { b } = c;
  const rows = b.emit("iota", {}, { length: dim(n) });
  const both = signed
    ? b.emit("concat", { xs: [rows, b.emit("scale", { x: rows }, { offset: -n })] }, { axis: 0 })
    : rows;
  return b.emit("reshape", { x: both }, { shape: [dim(signed ? 2 * n : n), dim(1)] }, "lags");
}

function network(c: GraphContext, scope: Scope, filter: RelativeMlpFilter, lags: Value): Value {
  const { width, depth, groups, residual, norm, activation, bias } = filter;
  const layer = (k: number, x: Value, out: number): Value => {
    const normed = normalize(c, child(scope, `norm.${k - 1}`, "/norm"), x, norm);
    return linear(c, child(scope, `mlp.${k}`), activate(c, normed, activation), out, bias);
  };
  let x = linear(c, child(scope, "mlp.0"), lags, width, bias);
  for (let k = 1; k <= depth; k++) {
    const y = layer(k, x, width);
    x = residual ? c.b.emit("add", { a: x, b: y }, {}) : y;
  }
  return layer(depth + 1, x, groups);
}

/** k decay^|t|. */
function decayed(c: GraphContext, k: Value, lags: Value, decay: number): Value {
  if (decay === 1) return k;
  const { b } = c;
  const exponent = b.emit("scale", { x: b.emit("abs", { x: lags }, {}) }, { factor: Math.log(decay) });
  return b.emit("mul", { a: k, b: b.emit("exp", { x: exponent }, {}) }, {}, "taps");
}
