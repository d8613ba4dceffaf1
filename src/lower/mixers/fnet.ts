// Fixed transforms over positions and channels (Lee-Thorp et al. 2022, FNet). They cannot be padded: the length is part of
// what they compute. With C and S the cosine and sine matrices of the transform of an axis (S with its sign, e^(-i a) = C + i S)
//   dft      Re = C_L x C_d - S_L x S_d           hartley  Re - Im,  Im = C_L x S_d + S_L x C_d
// and over the positions alone Re = C_L x, Im = S_L x.

import type { FnetMixer } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";
import { lastExtent } from "../layers.js";

export function lowerFnet(c: GraphContext, _scope: Scope, x: Value, { transform, axes }: FnetMixer): Value {
  const { b } = c;
  const width = lastExtent(x);
  const { sequence } = c.lowering;
  const over = (matrix: Value, y: Value): Value => b.emit("matmul", { a: matrix, b: y }, {});
  const across = (y: Value, matrix: Value): Value =>
    b.emit("matmul", { a: y, b: matrix }, { transpose_b: true });
  if (transform === "dct") {
    const mixed = over(cosines(c, sequence), x);
    return axes === "both" ? across(mixed, cosines(c, width)) : mixed;
  }
  const [even, odd] = [fourier(c, sequence, 0), fourier(c, sequence, sequence)];
  const less = (a: Value, y: Value): Value => b.emit("sub", { a, b: y }, {}, "fourier_mixed");
  if (axes === "positions") return transform === "dft" ? over(even, x) : less(over(even, x), over(odd, x));
  const [u, v] = [across(x, fourier(c, width, 0)), across(x, fourier(c, width, width))];
  const real = less(over(even, u), over(odd, v));
  return transform === "dft" ? real : less(less(real, over(even, v)), over(odd, u));
}

/** C at `start` 0, S at `start` n: [n, n]. */
function fourier(c: GraphContext, n: number, start: number): Value {
  const matrix = c.b.emit("dft_matrix", {}, { length: n, bins: n, direction: "forward" });
  return c.b.emit("slice", { x: matrix }, { axis: 0, start: dim(start), length: dim(n) });
}

/** sqrt((k = 0 ? 1 : 2) / n) cos(pi (2 t + 1) k / 2 n): odd columns of the cosines of a transform four times as long. */
function cosines(c: GraphContext, n: number): Value {
  const { b } = c;
  const matrix = b.emit("dft_matrix", {}, { length: 4 * n, bins: n, direction: "forward" });
  const part = (x: Value, axis: number, start: number, length: number): Value =>
    b.emit("slice", { x }, { axis, start: dim(start), length: dim(length) });
  const half = part(part(matrix, 0, 0, n), 1, 0, 2 * n);
  const pairs = b.emit("reshape", { x: half }, { shape: [dim(n), dim(n), dim(2)] });
  const odd = b.emit("reshape", { x: part(pairs, 2, 1, 1) }, { shape: [dim(n), dim(n)] });
  const values = Array.from({ length: n }, (_, k) => Math.sqrt((k === 0 ? 1 : 2) / n));
  const scales = b.emit("literal", {}, { values, shape: [dim(n), dim(1)] });
  return b.emit("mul", { a: odd, b: scales }, {}, "cosines");
}
