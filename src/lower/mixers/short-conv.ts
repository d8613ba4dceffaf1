// Depthwise convolutions of a few taps (FIR). PyTorch's Conv1d stores taps in correlation order: with left
// padding of taps-1, w[taps-1] is lag 0.

import type { DepthwiseConv, ShortConvMixer } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { activate, lastExtent } from "../layers.js";

/** y = activation(sum_k w_k x[t - lag(k)] + bias), weight [channels, taps]. */
export function depthwise(
  c: GraphContext,
  scope: Scope,
  x: Value,
  conv: DepthwiseConv | ShortConvMixer,
): Value {
  const { b } = c;
  const channels = lastExtent(x);
  return b.at(scope.pointer, () => {
    const stored = b.emit(
      "transpose",
      { x: c.parameter(scope, "weight", [channels, conv.taps], "taps") },
      { permutation: [1, 0] },
    );
    const k = conv.tap_order === "correlation" ? b.emit("reverse", { x: stored }, { axis: 0 }) : stored;
    const y = b.emit(
      "long_conv",
      { x, k },
      { lag0: conv.span === "centered" ? (conv.taps - 1) / 2 : 0 },
      "short_conv",
    );
    const biased = conv.bias
      ? b.emit("add", { a: y, b: c.parameter(scope, "bias", [channels], "bias") }, {})
      : y;
    return activate(c, biased, conv.activation);
  });
}

export function lowerShortConv(c: GraphContext, scope: Scope, x: Value, mixer: ShortConvMixer): Value {
  return depthwise(c, child(scope, "short_conv"), x, mixer);
}
