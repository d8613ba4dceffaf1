// Circulant attention (Yamada 2025, "CAT: Circular-Convolutional Attention for Sub-Quadratic Transformers"): one weight for
// each distance and head. y[i] = sum_j w[(j - i) mod L] v[j] is a correlation, so its spectrum is that of w, conjugated.

import type { CirculantSoftmaxFilter } from "../../description/description.js";
import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { type Complex, ComplexOps } from "../complex.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { lastExtent, linear } from "../layers.js";
import { signalOf, spectrumOf } from "../spectra.js";
import type { Streams } from "./streams.js";

export function circulantSoftmax(
  c: GraphContext,
  scope: Scope,
  { source, v }: Streams,
  filter: CirculantSoftmaxFilter,
): Value {
  const { b } = c;
  const { heads } = filter;
  const ops = new ComplexOps(c);
  const weights = b.emit("softmax", { x: scores(c, scope, source, filter) }, { axis: 1 }, "weights");
  const [batch] = v.type.shape as [Dim];
  const width = lastExtent(v);
  const shaped = ({ re, im }: Complex, ...channels: readonly number[]): Complex => {
    const one = (x: Value): Value =>
      b.emit("reshape", { x }, { shape: [batch, x.type.shape[1]!, ...channels.map(dim)] });
    return { re: one(re), im: one(im) };
  };
  const kernel = shaped(ops.conj(spectrumOf(c, weights)), heads, 1);
  const mixed = ops.mul(kernel, shaped(spectrumOf(c, v), heads, width / heads));
  return signalOf(c, shaped(mixed, width), c.lowering.sequence);
}

/** One number for each position and head, [B, L, heads]. */
function scores(
  c: GraphContext,
  scope: Scope,
  s: Value,
  { heads, scores: form, bias }: CirculantSoftmaxFilter,
): Value {
  const { b } = c;
  if (form === "linear") return linear(c, child(scope, "scores"), s, heads, bias, "scores");
  const width = lastExtent(s);
  const [q, k] = [linear(c, child(scope, "q"), s, width, bias), linear(c, child(scope, "k"), s, width, bias)];
  const product = b.emit(
    "mul",
    { a: q, b: b.emit("reduce_mean", { x: k }, { axis: 1, keepdims: true }) },
    {},
  );
  const split = b.emit(
    "reshape",
    { x: product },
    { shape: [...s.type.shape.slice(0, 2), dim(heads), dim(width / heads)] },
  );
  const sum = b.emit("reduce_sum", { x: split }, { axis: 3, keepdims: false });
  return b.emit("scale", { x: sum }, { factor: 1 / Math.sqrt(width / heads) }, "scores");
}
