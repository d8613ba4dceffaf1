// Convolutions between all channels (PyTorch's Conv1d; Kalchbrenner et al. 2016, ByteNet): the positions that the taps see,
// side by side as channels, times one matrix.

import type { ConvMixer } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";
import { activate, lastExtent } from "../layers.js";

export function lowerConv(c: GraphContext, scope: Scope, x: Value, mixer: ConvMixer): Value {
  const { b } = c;
  const { taps, dilation, span, tap_order, bias } = mixer;
  const width = lastExtent(x);
  const lags = Array.from({ length: taps }, (_, k) => {
    const place = tap_order === "correlation" ? taps - 1 - k : k;
    return dilation * (span === "centered" ? place - (taps - 1) / 2 : place);
  });
  const seen = b.emit("concat", { xs: lags.map((lag) => delayed(c, x, lag)) }, { axis: 2 }, "seen");
  const stored = c.parameter(scope, "weight", [width, width, taps], "linear");
  const byTap = b.emit("transpose", { x: stored }, { permutation: [0, 2, 1] });
  const weight = b.emit("reshape", { x: byTap }, { shape: [dim(width), dim(taps * width)] });
  const shift = bias ? c.parameter(scope, "bias", [width], "bias") : undefined;
  return activate(c, b.emit("linear", { x: seen, weight, bias: shift }, {}, "conv"), mixer.activation);
}

/** x[t - lag], zeros beyond both ends. */
function delayed(c: GraphContext, x: Value, lag: number): Value {
  const { b } = c;
  const length = x.type.shape[1]!.value!;
  if (lag === 0) return x;
  if (Math.abs(lag) >= length) return b.emit("scale", { x }, { factor: 0 });
  const [first, before, after] = lag > 0 ? [0, lag, 0] : [-lag, 0, -lag];
  const kept = b.emit("slice", { x }, { axis: 1, start: dim(first), length: dim(length - Math.abs(lag)) });
  return b.emit("pad", { x: kept }, { axis: 1, before: dim(before), after: dim(after) });
}
