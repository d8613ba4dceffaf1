// Spectra of activations along the positions, for mixers whose spectrum depends on the data: products with the matrices of
// the transform, exact for every length.

import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import type { Complex } from "./complex.js";
import type { GraphContext } from "./context.js";

/** Bins of a real line of n samples. */
export function binsOf(n: number): number {
  return Math.floor(n / 2) + 1;
}

/** rfft over positions, unnormalised: f32[B, L, C] to both parts [B, floor(L/2) + 1, C]. */
export function spectrumOf(c: GraphContext, x: Value): Complex {
  const { b } = c;
  const length = x.type.shape[1]!.value!;
  const bins = binsOf(length);
  const matrix = b.emit("dft_matrix", {}, { length, bins, direction: "forward" });
  const both = b.emit("matmul", { a: matrix, b: x }, {}, "modes");
  const part = (start: number): Value =>
    b.emit("slice", { x: both }, { axis: 1, start: dim(start), length: dim(bins) });
  return { re: part(0), im: part(bins) };
}

/** irfft over positions: both parts [B, floor(L/2) + 1, C] to f32[B, L, C]. */
export function signalOf(c: GraphContext, { re, im }: Complex, length: number): Value {
  const { b } = c;
  const matrix = b.emit("dft_matrix", {}, { length, bins: binsOf(length), direction: "inverse" });
  return b.emit("matmul", { a: matrix, b: b.emit("concat", { xs: [re, im] }, { axis: 1 }) }, {});
}
