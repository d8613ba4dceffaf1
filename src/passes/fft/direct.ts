// The lowerings without a chain of products: a depthwise convolution for short filters, a Toeplitz product
// for shared ones, and the DFT ops for the profile that asks for them by name.

import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { Rewriter } from "../../ir/rewrite.js";
import type { Filter } from "./spectrum.js";
import { addSkip, lagsBetween, tapsPerChannel, wrapLags } from "./taps.js";
import { joined, padded, reshaped, sliced } from "./view.js";

/** y = K * x with channels first, taps in reading order: lag j is tap (maxLag - j). */
export function depthwise(b: Rewriter, x: Value, filter: Filter): Value {
  const channels = x.type.shape[2]!.value!;
  const useful = lagsBetween(b, filter.taps, 1 - filter.length, filter.length - 1);
  const wide = tapsPerChannel(b, useful, channels);
  const taps = filter.skip === undefined ? wide : addSkip(b, wide, filter.skip);
  const reading = b.emit("reverse", { x: taps.value }, { axis: 0 });
  const k = b.emit("transpose", { x: reading }, { permutation: [1, 0] });
  const before = taps.minLag + taps.count - 1;
  const lines = b.emit("transpose", { x }, { permutation: [0, 2, 1] });
  const y = b.emit("depthwise_conv", { x: lines, k }, { before, after: 0 - taps.minLag });
  return b.emit("transpose", { x: y }, { permutation: [0, 2, 1] });
}

/** y[b, i, c] = sum_j K_g[i - j] x[b, j, c] as one product per filter. */
export function toeplitz(b: Rewriter, x: Value, filter: Filter): Value {
  const [batch, , width] = x.type.shape as [Dim, Dim, Dim];
  const { length } = filter;
  const groups = filter.taps.value.type.shape[1]!;
  // Row lag + L - 1 of the table is K[lag].
  const index = (shape: [number, number]) =>
    reshaped(b, b.emit("iota", {}, { length: dim(length), element: "i32" }), shape);
  const shift = b.emit("constant", {}, { value: length - 1, element: "i32" });
  const lags = b.emit("sub", { a: index([length, 1]), b: index([1, length]) }, {});
  const at = b.emit("add", { a: lags, b: shift }, {});
  const table = b.emit("take", { table: lagTable(b, filter), indices: at }, {});
  if (groups.value === 1)
    return b.emit("matmul", { a: reshaped(b, table, [length, length], "toeplitz"), b: x }, {});
  const matrices = b.emit("transpose", { x: table }, { permutation: [2, 0, 1] }, "toeplitz");
  const apart = reshaped(b, x, [batch, length, groups, width.dividedBy(groups)!]);
  const heads = b.emit("transpose", { x: apart }, { permutation: [0, 2, 1, 3] });
  const y = b.emit("matmul", { a: matrices, b: heads }, {});
  return reshaped(b, b.emit("transpose", { x: y }, { permutation: [0, 2, 1, 3] }), x.type.shape);
}

/** K[lag] for lag = 1 - L .. L - 1: [2L - 1, G]. */
function lagTable(b: Rewriter, { taps, circular, length }: Filter): Value {
  if (!circular) {
    const useful = lagsBetween(b, taps, 1 - length, length - 1);
    const before = useful.minLag + length - 1;
    return padded(b, useful.value, 0, before, 2 * length - 1 - before - useful.count);
  }
  const turn = wrapLags(b, taps, length);
  return length === 1 ? turn : joined(b, [sliced(b, turn, 0, 1, length - 1), turn], 0);
}

/** irfft(rfft(x) rfft(k)) over the next power of two that holds both, as exporters of eager code emit it. */
export function dft(b: Rewriter, x: Value, filter: Filter): Value {
  const { length, circular } = filter;
  const points = circular ? length : 2 ** Math.ceil(Math.log2(2 * length - 1));
  const useful = circular ? filter.taps : lagsBetween(b, filter.taps, 1 - length, length - 1);
  const channels = x.type.shape[2]!.value!;
  const wide = tapsPerChannel(b, useful, channels);
  const lines = b.emit("rfft", { x }, { axis: 1, length: dim(points) });
  const spectrum = b.emit(
    "rfft",
    { x: wrapLags(b, wide, points) },
    { axis: 0, length: dim(points) },
    "spectrum",
  );
  const product = b.emit("mul", { a: lines, b: spectrum }, {});
  const y = b.emit("irfft", { x: product }, { axis: 1, length: dim(points) });
  return sliced(b, y, 1, 0, length);
}
