// No gate: y = conv(x), each channel with as many filters as the mixer says, or with one filter for every input channel.

import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { lastExtent } from "../layers.js";
import type { GatingLowering, GatingParts } from "./gating.js";

export const ungated: GatingLowering<{ readonly kind: "none" }> = {
  streams: () => 1,
  lower(parts) {
    const { c, mixer, streams, convolve } = parts;
    if (mixer.channel_mixing === "dense") return dense(parts);
    const repeated = Array.from({ length: mixer.channels }, () => streams[0]!);
    return convolve(
      0,
      repeated.length === 1 ? streams[0]! : c.b.emit("concat", { xs: repeated }, { axis: 2 }),
    );
  },
};

/**
 * y_o = sum_i conv(x_i, K[o, i]): channel (o, i) of a depthwise convolution is x_i, and the sum over i follows. Every
 * length and lowering of the one convolution serves it, at width^2 transforms instead of 2 width.
 */
function dense({ c, streams, convolve }: GatingParts): Value {
  const { b } = c;
  const x = streams[0]!;
  const width = lastExtent(x);
  const [batch, length] = x.type.shape as [Dim, Dim];
  const shaped = (y: Value, ...channels: readonly number[]): Value =>
    b.emit("reshape", { x: y }, { shape: [batch, length, ...channels.map((n) => dim(n))] });
  const pairs = [batch, length, dim(width), dim(width)];
  const every = b.emit("broadcast", { x: shaped(x, 1, width) }, { shape: pairs });
  const y = shaped(convolve(0, shaped(every, width * width)), width, width);
  return b.emit("reduce_sum", { x: y }, { axis: 3, keepdims: false }, "channels_mixed");
}
