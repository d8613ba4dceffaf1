// Gains made from the mean of the text (arXiv 2502.18394, SPECTRE): a small network of each head reads the normed mean of
// its queries and gives a complex number for each frequency, whose magnitude a modReLU shifts by a threshold.
//   y = irfft(G rfft(v)),  G = z relu(|z| + b) / (|z| + 1e-8),  z = down(f(up(norm(mean q))))

import type { PooledGateFilter } from "../../description/description.js";
import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { type Complex, ComplexOps } from "../complex.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { activate, lastExtent, linear } from "../layers.js";
import { binsOf, signalOf, spectrumOf } from "../spectra.js";
import type { Streams } from "./streams.js";

export function pooledGate(
  c: GraphContext,
  scope: Scope,
  { source, v }: Streams,
  filter: PooledGateFilter,
): Value {
  const { b } = c;
  const { heads } = filter;
  const { sequence } = c.lowering;
  const ops = new ComplexOps(c);
  const [batch] = v.type.shape as [Dim];
  const width = lastExtent(v);
  const bins = binsOf(sequence);
  const shaped = ({ re, im }: Complex, ...channels: readonly number[]): Complex => {
    const one = (x: Value): Value =>
      b.emit("reshape", { x }, { shape: [batch, dim(bins), ...channels.map(dim)] });
    return { re: one(re), im: one(im) };
  };
  const gains = thresholded(c, scope, gate(c, scope, source, filter, bins), [heads, bins]);
  // [heads, B, bins] as [B, bins, heads].
  const byBin = (x: Value): Value => b.emit("transpose", { x }, { permutation: [1, 2, 0] });
  const gain = shaped({ re: byBin(gains.re), im: byBin(gains.im) }, heads, 1);
  const mixed = ops.mul(gain, shaped(spectrumOf(c, v), heads, width / heads));
  return signalOf(c, shaped(mixed, width), sequence);
}

/** z of every head, both parts [heads, B, bins]. */
function gate(c: GraphContext, scope: Scope, s: Value, filter: PooledGateFilter, bins: number): Complex {
  const { b } = c;
  const { heads, hidden, activation, eps, bias } = filter;
  const width = lastExtent(s);
  const size = width / heads;
  const [batch] = s.type.shape as [Dim];
  const q = linear(c, child(scope, "q"), s, width, bias);
  const mean = b.emit("reduce_mean", { x: q }, { axis: 1, keepdims: false }, "pooled");
  const split = b.emit("reshape", { x: mean }, { shape: [batch, dim(heads), dim(size)] });
  const at = child(scope, "norm");
  const unit = b.emit("layer_norm", { x: split, weight: undefined, bias: undefined }, { epsilon: eps });
  const weighted = b.emit("mul", { a: unit, b: c.parameter(at, "weight", [heads, size], "norm") }, {});
  const normed = b.emit("add", { a: weighted, b: c.parameter(at, "bias", [heads, size], "bias") }, {});
  /** A layer of every head, [heads, B, in] to [heads, B, out]. */
  const layer = (name: string, x: Value, out: number): Value => {
    const place = child(scope, name);
    const weight = c.parameter(place, "weight", [heads, out, lastExtent(x)], "linear");
    const shift = c.parameter(place, "bias", [heads, out], "bias");
    const row = b.emit("reshape", { x: shift }, { shape: [dim(heads), dim(1), dim(out)] });
    return b.emit("add", { a: b.emit("matmul", { a: x, b: weight }, { transpose_b: true }), b: row }, {});
  };
  const byHead = b.emit("transpose", { x: normed }, { permutation: [1, 0, 2] });
  const pairs = layer("down", activate(c, layer("up", byHead, hidden), activation), 2 * bins);
  const shape = [dim(heads), batch, dim(bins), dim(2)];
  return new ComplexOps(c).parts(b.emit("reshape", { x: pairs }, { shape }, "gate"));
}

/** z relu(|z| + b) / (|z| + 1e-8), the parameter b [heads, bins] (Arjovsky et al. 2016, modReLU). */
function thresholded(
  c: GraphContext,
  scope: Scope,
  z: Complex,
  [heads, bins]: readonly [number, number],
): Complex {
  const { b } = c;
  const square = (x: Value): Value => b.emit("mul", { a: x, b: x }, {});
  const size = b.emit("sqrt", { x: b.emit("add", { a: square(z.re), b: square(z.im) }, {}) }, {});
  const stored = c.parameter(scope, "threshold", [heads, bins], "bias");
  const threshold = b.emit("reshape", { x: stored }, { shape: [dim(heads), dim(1), dim(bins)] });
  const above = b.emit("relu", { x: b.emit("add", { a: size, b: threshold }, {}) }, {});
  const factor = b.emit("div", { a: above, b: b.emit("scale", { x: size }, { offset: 1e-8 }) }, {}, "gain");
  return new ComplexOps(c).times(z, factor);
}
