// A short filter per channel, as the convolution kernels of back ends take it: what a short long_conv becomes.

import { attribute, defineOp } from "../op.js";
import { tensor } from "../tensor.js";
import { typeText, withExtent } from "../type.js";

export const depthwiseConv = defineOp({
  name: "depthwise_conv",
  summary:
    "y[b,c,t] = sum_j k[c,j] x[b,c,t-before+j], zero outside x, t = 0 .. L+before+after-T: channels first, taps in reading order, as convolution kernels of every back end take them",
  operands: ["x", "k"],
  attributes: { before: attribute.int, after: attribute.int },
  fusion: "opaque",
  type({ x, k }, { before, after }, check) {
    const ranked =
      x.shape.length === 3 && k.shape.length === 2 && x.element === k.element && x.element !== "c64";
    check.that(
      ranked && x.shape[1]!.equals(k.shape[0]!),
      "depthwise_conv_c1",
      `x must be [B, D, L] and k [D, T], got ${typeText(x)} and ${typeText(k)}`,
    );
    if (!ranked) return [x];
    const extent = x.shape[2]!.plus(before + after + 1).minus(k.shape[1]!);
    check.that(
      before >= 0 && after >= 0 && extent.min >= 1,
      "depthwise_conv_c2",
      `padding ${before} and ${after} with ${k.shape[1]} taps leave ${extent} samples`,
    );
    return [withExtent(x, 2, extent)];
  },
  evaluate({ x, k }, { before, after }) {
    const [batch, channels, length] = x.shape as [number, number, number];
    const taps = k.shape[1]!;
    const extent = length + before + after - taps + 1;
    const out = tensor(x.element, [batch, channels, extent]);
    for (let line = 0; line < batch * channels; line++) {
      const weights = k.data.subarray((line % channels) * taps);
      for (let t = 0; t < extent; t++) {
        let sum = 0;
        for (let j = 0; j < taps; j++) {
          const at = t - before + j;
          if (at >= 0 && at < length) sum += weights[j]! * x.data[line * length + at]!;
        }
        out.data[line * extent + t] = sum;
      }
    }
    return [out];
  },
  // A sum of T products: sqrt(T) |k|_2 |x|_2, the window's norm bounded by the line's.
  rounding({ x, k }, [y]) {
    const taps = k.shape[1]!;
    const filters = rowNorms(k.data, taps);
    const signals = rowNorms(x.data, x.shape[2]!);
    const extent = y!.shape[2]!;
    const size = signals.map((norm, line) => Math.sqrt(taps) * filters[line % filters.length]! * norm);
    return [y!.data.map((_, i) => size[Math.floor(i / extent)]!)];
  },
});

/** |row|_2 of every row. */
function rowNorms(data: Float64Array, columns: number): Float64Array {
  const norms = new Float64Array(data.length / columns);
  for (let i = 0; i < data.length; i++) norms[Math.floor(i / columns)]! += data[i]! ** 2;
  return norms.map(Math.sqrt);
}
