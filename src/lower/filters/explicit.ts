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
    softShrink(c, smoothed(c, c.parameter(at, "taps", [rows, filter.groups], "taps"), filter), filter.squash);
  const forward = taps(scope, filter.reverse_filter === "full_2l" ? 2 * filter.length : filter.length);
  return arrange(
    c,
    filter,
    forward,
    twinOf(filter) ? taps(child(scope, "reverse"), filter.length) : undefined,
  );
}

function smoothed(c: GraphContext, k: Value, { smoothing, smoothing_domain: domain }: ExplicitFilter): Value {
  if (smoothing === 1) return k;
  if (domain === "frequency") return smoothedSpectrum(c, k, smoothing);
  return windowed(c, k, Array<number>(smoothing).fill(1 / smoothing));
}

/** sum_j w_j k[t + j] around each row t, j from -(n-1)/2 to (n-1)/2, zeros beyond both ends. */
function windowed(c: GraphContext, k: Value, weights: readonly number[]): Value {
  const { b } = c;
  const reach = (weights.length - 1) / 2;
  const rows = k.type.shape[0]!;
  const padded = b.emit("pad", { x: k }, { axis: 0, before: dim(reach), after: dim(reach) });
  const terms = weights.map((factor, s) => {
    const shifted = b.emit("slice", { x: padded }, { axis: 0, start: dim(s), length: rows });
    return b.emit("scale", { x: shifted }, { factor });
  });
  return terms.reduce((total, part) => b.emit("add", { a: total, b: part }, {}, "smoothed"));
}

/** irfft of the bins weighted by exp(-j^2/2) around each. */
function smoothedSpectrum(c: GraphContext, k: Value, width: number): Value {
  const { b } = c;
  const length = k.type.shape[0]!.value!;
  const bins = Math.floor(length / 2) + 1;
  const weights = Array.from({ length: width }, (_, j) => Math.exp(-((j - (width - 1) / 2) ** 2) / 2));
  const spectrum = b.emit(
    "matmul",
    { a: b.emit("dft_matrix", {}, { length, bins, direction: "forward" }), b: k },
    {},
  );
  const parts = [0, bins].map((start) =>
    windowed(c, b.emit("slice", { x: spectrum }, { axis: 0, start: dim(start), length: dim(bins) }), weights),
  );
  const both = b.emit("concat", { xs: parts }, { axis: 0 });
  const back = b.emit("dft_matrix", {}, { length, bins, direction: "inverse" });
  return b.emit("matmul", { a: back, b: both }, {}, "smoothed");
}
