// Spectra made from the magnitudes of the stream's own (Karami and Ghodsi 2024, "Orchid: Flexible and Data-Dependent
// Convolution for Sequence Modeling"): G = conv_f(|rfft(conv_t(s))|), a real number for each frequency and channel.

import type { DepthwiseConv, SpectralMagnitudeFilter } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import { ComplexOps } from "../complex.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { depthwise } from "../mixers/short-conv.js";
import { signalOf, spectrumOf } from "../spectra.js";
import type { Streams } from "./streams.js";

export function spectralMagnitude(
  c: GraphContext,
  scope: Scope,
  { source, v }: Streams,
  { taps, bias }: SpectralMagnitudeFilter,
): Value {
  const { b } = c;
  const ops = new ComplexOps(c);
  const conv: DepthwiseConv = {
    kind: "depthwise",
    taps,
    bias,
    span: "centered",
    tap_order: "correlation",
    activation: "none",
  };
  const { re, im } = spectrumOf(c, depthwise(c, child(scope, "time"), source, conv));
  const square = (x: Value): Value => b.emit("mul", { a: x, b: x }, {});
  const magnitude = b.emit("sqrt", { x: b.emit("add", { a: square(re), b: square(im) }, {}) }, {});
  const gains = depthwise(c, child(scope, "frequency"), magnitude, conv);
  return signalOf(c, ops.times(spectrumOf(c, v), gains), c.lowering.sequence);
}
