// Implicit filters (Poli et al. 2023, Hyena; Fu et al. 2023, M2-BERT): taps are a small sine network of the
// position times a window. They depend on weights and L only, so passes fold them away.

import type { ImplicitMlpFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { activate, lastExtent, linear } from "../layers.js";
import { arrange, type Taps, twinOf } from "./layout.js";
import { lastPosition, resampled } from "./resolution.js";
import { lowerWindow } from "./window.js";

export function lowerImplicitMlp(c: GraphContext, scope: Scope, filter: ImplicitMlpFilter): Taps {
  const { times, positions } = inputs(c, scope, filter);
  const frequency =
    filter.frequency === "trained" && filter.activation === "sine"
      ? c.parameter(scope, "frequency", [filter.width], "frequency")
      : undefined;
  const x = filter.features === "relative" ? positions : times;
  const window = lowerWindow(c, scope, filter, { times, x });
  const taps = (at: Scope): Value => {
    const sampled = shape(c, filter, network(c, at, filter, positions, frequency), window);
    return filter.features === "relative" ? resampled(c, filter.length, sampled) : sampled;
  };
  return arrange(c, filter, taps(scope), twinOf(filter) ? taps(child(scope, "reverse")) : undefined);
}

/** What the network reads at every position, and the time its window falls with. */
function inputs(
  c: GraphContext,
  scope: Scope,
  filter: ImplicitMlpFilter,
): { times: Value; positions: Value } {
  if (filter.features === "stored") return stored(c, scope, filter);
  return filter.features === "relative" ? relative(c, filter) : computed(c, filter);
}

/**
 * Positions a network is evaluated at: full_2l has a second half for negative lags; computed features go on beyond
 * the length they are normalised by, so one set of weights serves every sequence length.
 */
function rows(c: GraphContext, filter: ImplicitMlpFilter): number {
  if (filter.reverse_filter === "full_2l") return 2 * filter.length;
  if (filter.features === "relative") return c.lowering.sequence;
  return filter.features === "stored" ? filter.length : Math.max(filter.length, c.lowering.sequence);
}

function stored(
  c: GraphContext,
  scope: Scope,
  filter: ImplicitMlpFilter,
): { times: Value; positions: Value } {
  return {
    positions: c.parameter(scope, "features", [rows(c, filter), filter.emb_dim], "features"),
    times: c.b.emit(
      "reshape",
      { x: c.parameter(scope, "times", [rows(c, filter)], "times") },
      { shape: [dim(rows(c, filter)), dim(1)] },
    ),
  };
}

/** z_t = (t/(n-1), Re e^(-i f w_t), Im e^(-i f w_t)), w_t = 2 pi t/n, f = linspace(1e-4, bands-1, bands). */
function computed(c: GraphContext, filter: ImplicitMlpFilter): { times: Value; positions: Value } {
  const { b } = c;
  const n = filter.length;
  const bands = (filter.emb_dim - 1) / 2;
  const steps = b.emit(
    "reshape",
    { x: b.emit("iota", {}, { length: dim(rows(c, filter)) }) },
    { shape: [dim(rows(c, filter)), dim(1)] },
  );
  const times = b.emit("scale", { x: steps }, { factor: 1 / Math.max(n - 1, 1) }, "times");
  const spread = (i: number): number => (bands === 1 ? 1e-4 : 1e-4 + (i * (bands - 1 - 1e-4)) / (bands - 1));
  const frequencies = b.emit(
    "literal",
    {},
    { values: Array.from({ length: bands }, (_, i) => (spread(i) * 2 * Math.PI) / n), shape: [dim(bands)] },
  );
  const angle = b.emit("mul", { a: steps, b: frequencies }, {});
  const imaginary = b.emit("neg", { x: b.emit("sin", { x: angle }, {}) }, {});
  return {
    times,
    positions: b.emit(
      "concat",
      { xs: [times, b.emit("cos", { x: angle }, {}), imaginary] },
      { axis: 1 },
      "positions",
    ),
  };
}

/** z_t: rows positions from -1, the built length's from -1 to 1 (resolution.ts for the others). */
function relative(c: GraphContext, filter: ImplicitMlpFilter): { times: Value; positions: Value } {
  const { b } = c;
  const count = rows(c, filter);
  const last = lastPosition(filter.length, count);
  const column = { shape: [dim(count), dim(1)] };
  const steps = b.emit("reshape", { x: b.emit("iota", {}, { length: dim(count) }) }, column);
  const times = b.emit("scale", { x: steps }, { factor: 1 / Math.max(count - 1, 1) }, "times");
  return { times, positions: b.emit("scale", { x: times }, { factor: last + 1, offset: -1 }, "positions") };
}

/** Linear, f, depth times (Linear, f), Linear; f is sin(omega frequency x), relu or silu. */
function network(
  c: GraphContext,
  scope: Scope,
  filter: ImplicitMlpFilter,
  positions: Value,
  frequency: Value | undefined,
): Value {
  const { b } = c;
  const between = (x: Value): Value => {
    if (filter.activation !== "sine") return activate(c, x, filter.activation);
    const scaled = filter.omega === 1 ? x : b.emit("scale", { x }, { factor: filter.omega });
    return b.emit(
      "sin",
      { x: frequency === undefined ? scaled : b.emit("mul", { a: scaled, b: frequency }, {}) },
      {},
    );
  };
  const layer = (k: number, x: Value, out: number, bias: boolean): Value =>
    filter.weight_norm
      ? normedLinear(c, child(scope, `mlp.${k}`), x, out, bias)
      : linear(c, child(scope, `mlp.${k}`), x, out, bias);
  let h = positions;
  for (let k = 0; k <= filter.depth; k++) h = between(layer(k, h, filter.width, true));
  return layer(filter.depth + 1, h, filter.groups, filter.last_bias);
}

/** A layer whose weight is g v / |v| (Salimans and Kingma 2016), the norm over each row. */
function normedLinear(c: GraphContext, scope: Scope, x: Value, out: number, bias: boolean): Value {
  const { b } = c;
  const v = c.parameter(scope, "weight_v", [out, lastExtent(x)], "linear");
  const g = c.parameter(scope, "weight_g", [out], "norm");
  const square = b.emit("mul", { a: v, b: v }, {});
  const size = b.emit("sqrt", { x: b.emit("reduce_sum", { x: square }, { axis: 1, keepdims: true }) }, {});
  const column = b.emit("reshape", { x: g }, { shape: [dim(out), dim(1)] });
  const weight = b.emit("mul", { a: v, b: b.emit("div", { a: column, b: size }, {}) }, {});
  return b.emit(
    "linear",
    { x, weight, bias: bias ? c.parameter(scope, "bias", [out], "bias") : undefined },
    {},
  );
}

function shape(c: GraphContext, filter: ImplicitMlpFilter, h: Value, window: Value | undefined): Value {
  const { b } = c;
  const k = window === undefined ? h : b.emit("mul", { a: h, b: window }, {});
  if (filter.normalize === "none") return k;
  const size = b.emit("reduce_sum", { x: b.emit("abs", { x: k }, {}) }, { axis: 1, keepdims: true });
  return b.emit("div", { a: k, b: size }, {});
}
