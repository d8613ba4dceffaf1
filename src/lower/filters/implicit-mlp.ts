// Implicit filters (Poli et al. 2023, Hyena; Fu et al. 2023, M2-BERT): taps are a small sine network of the
// position times an exponential window. They depend on weights and L only, so passes fold them away.

import type { ImplicitMlpFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { linear } from "../layers.js";
import { arrange, type Taps, twinOf } from "./layout.js";

export function lowerImplicitMlp(c: GraphContext, scope: Scope, filter: ImplicitMlpFilter): Taps {
  const { times, positions } = filter.features === "stored" ? stored(c, scope, filter) : computed(c, filter);
  const frequency =
    filter.frequency === "trained" ? c.parameter(scope, "frequency", [filter.width], "frequency") : undefined;
  const window =
    filter.window.kind === "none" ? undefined : decay(c, scope, filter, times, filter.window.shift);
  const taps = (at: Scope): Value => shape(c, filter, network(c, at, filter, positions, frequency), window);
  return arrange(c, filter, taps(scope), twinOf(filter) ? taps(child(scope, "reverse")) : undefined);
}

/**
 * Positions a network is evaluated at: full_2l has a second half for negative lags; computed features go on beyond
 * the length they are normalised by, so one set of weights serves every sequence length.
 */
function rows(c: GraphContext, filter: ImplicitMlpFilter): number {
  if (filter.reverse_filter === "full_2l") return 2 * filter.length;
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

/** Linear, sin, depth times (Linear, sin), Linear without bias; sin is sin(omega frequency x). */
function network(
  c: GraphContext,
  scope: Scope,
  filter: ImplicitMlpFilter,
  positions: Value,
  frequency: Value | undefined,
): Value {
  const { b } = c;
  const sine = (x: Value): Value => {
    const scaled = filter.omega === 1 ? x : b.emit("scale", { x }, { factor: filter.omega });
    return b.emit(
      "sin",
      { x: frequency === undefined ? scaled : b.emit("mul", { a: scaled, b: frequency }, {}) },
      {},
    );
  };
  let h = positions;
  for (let k = 0; k <= filter.depth; k++)
    h = sine(linear(c, child(scope, `mlp.${k}`), h, filter.width, true));
  return linear(c, child(scope, `mlp.${filter.depth + 1}`), h, filter.groups, false);
}

/** exp(-|delta_c| t) + shift, t in [0, 1]. */
function decay(c: GraphContext, scope: Scope, filter: ImplicitMlpFilter, times: Value, shift: number): Value {
  const { b } = c;
  const rate = b.emit(
    "neg",
    { x: b.emit("abs", { x: c.parameter(scope, "deltas", [filter.groups], "decay") }, {}) },
    {},
  );
  const window = b.emit("exp", { x: b.emit("mul", { a: times, b: rate }, {}) }, {}, "window");
  return shift === 0 ? window : b.emit("scale", { x: window }, { offset: shift });
}

function shape(c: GraphContext, filter: ImplicitMlpFilter, h: Value, window: Value | undefined): Value {
  const { b } = c;
  const k = window === undefined ? h : b.emit("mul", { a: h, b: window }, {});
  if (filter.normalize === "none") return k;
  const size = b.emit("reduce_sum", { x: b.emit("abs", { x: k }, {}) }, { axis: 1, keepdims: true });
  return b.emit("div", { a: k, b: size }, {});
}
