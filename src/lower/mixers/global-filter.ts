// Global filters on a grid of positions (Rao et al. 2021, "Global Filter Networks for Image Classification", GFNet):
// y = irfft2(W rfft2(x)). Along the columns a real transform, along the rows a complex one, both as matrix products.

import type { GlobalFilterMixer } from "../../description/description.js";
import { type Dim, dim, product } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { type Complex, ComplexOps } from "../complex.js";
import type { GraphContext, Scope } from "../context.js";
import { lastExtent } from "../layers.js";

export function lowerGlobalFilter(
  c: GraphContext,
  scope: Scope,
  x: Value,
  { rows }: GlobalFilterMixer,
): Value {
  const { b } = c;
  const ops = new ComplexOps(c);
  const width = lastExtent(x);
  const columns = c.lowering.sequence / rows;
  const bins = Math.floor(columns / 2) + 1;
  const [batch, length] = x.type.shape as [Dim, Dim];
  const lines = product([batch, dim(rows)]);
  const shaped = (y: Value, shape: readonly Dim[]): Value => b.emit("reshape", { x: y }, { shape });
  const part = (y: Value, axis: number, start: number, count: number): Value =>
    b.emit("slice", { x: y }, { axis, start: dim(start), length: dim(count) });
  const spectrum = ops.parts(c.parameter(scope, "spectrum", [rows, bins, width, 2], "residues"));

  // Over the columns: [B rows, columns, C] to re and im [B, rows, bins C].
  const forward = b.emit("dft_matrix", {}, { length: columns, bins, direction: "forward" });
  const both = b.emit("matmul", { a: forward, b: shaped(x, [lines, dim(columns), dim(width)]) }, {});
  const grid = [batch, dim(rows), dim(bins * width)];
  const modes: Complex = {
    re: shaped(part(both, 1, 0, bins), grid),
    im: shaped(part(both, 1, bins, bins), grid),
  };

  const flat = (y: Value): Value => shaped(y, [dim(rows), dim(bins * width)]);
  const filtered = ops.mul(overRows(modes, 1), { re: flat(spectrum.re), im: flat(spectrum.im) });
  const { re, im } = overRows(filtered, -1);

  const back = b.emit("dft_matrix", {}, { length: columns, bins, direction: "inverse" });
  const ends = [re, im].map((y) => shaped(y, [lines, dim(bins), dim(width)]));
  const y = b.emit("matmul", { a: back, b: b.emit("concat", { xs: ends }, { axis: 1 }) }, {});
  return shaped(b.emit("scale", { x: y }, { factor: 1 / rows }), [batch, length, dim(width)]);

  /** sum_r e^(-sign 2 pi i k r / rows) z_r, unnormalised. */
  function overRows(z: Complex, sign: 1 | -1): Complex {
    if (rows === 1) return z;
    const matrix = b.emit("dft_matrix", {}, { length: rows, bins: rows, direction: "forward" });
    const f: Complex = { re: part(matrix, 0, 0, rows), im: part(matrix, 0, rows, rows) };
    const times = (a: Value, y: Value): Value => b.emit("matmul", { a, b: y }, {});
    const cross = [times(f.im, z.im), times(f.im, z.re)] as const;
    const join = (name: "add" | "sub", a: Value, y: Value): Value => b.emit(name, { a, b: y }, {});
    return {
      re: join(sign === 1 ? "sub" : "add", times(f.re, z.re), cross[0]),
      im: join(sign === 1 ? "add" : "sub", times(f.re, z.im), cross[1]),
    };
  }
}
