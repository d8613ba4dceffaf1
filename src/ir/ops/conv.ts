// The one convolution. Every filter layout in use (causal, the bidirectional ones, circular, FIR, correlation
// taps) is a matter of which tap is lag 0, so lowering turns each into this op and nothing after it knows layouts.

import { dim } from "../dim.js";
import { lineConvolution } from "../fft/convolve.js";
import { attribute, defineOp, withDefault } from "../op.js";
import { type Tensor, tensor } from "../tensor.js";
import { typeText } from "../type.js";

/** Multiplicity of a term that wrapped w times around a right-angle modulus: Re((-i)^w). */
const rightAngle = [1, 0, -1, 0] as const;

/**
 * y[t] += weight * sum_s k[t - s + lag0] x[s] for one batch row, channels innermost.
 * `wrap(w)` is the factor of terms that land w periods away, or 0; `sees(t, s)` leaves terms out.
 */
function convolve(
  x: Tensor,
  k: Tensor,
  lag0: number,
  period: number,
  wrap: (w: number) => number,
  sees: (t: number, s: number) => boolean = () => true,
): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  const [taps, groups] = k.shape as [number, number];
  const out = tensor(x.element, x.shape);
  const row = new Float64Array(width);
  for (let j = 0; j < taps; j++) {
    for (let c = 0; c < width; c++) row[c] = k.data[j * groups + Math.floor((c * groups) / width)]!;
    const lag = j - lag0;
    const least = Math.ceil((-lag - (length - 1)) / period);
    const most = Math.floor((length - 1 - lag) / period);
    for (let w = least; w <= most; w++) {
      const factor = wrap(w);
      if (factor === 0) continue;
      // t = s + lag + w * period
      const shift = lag + w * period;
      for (let b = 0; b < batch; b++) {
        for (let t = Math.max(0, shift); t < Math.min(length, length + shift); t++) {
          if (!sees(t, t - shift)) continue;
          const to = (b * length + t) * width;
          const from = (b * length + t - shift) * width;
          for (let c = 0; c < width; c++) out.data[to + c]! += factor * row[c]! * x.data[from + c]!;
        }
      }
    }
  }
  return out;
}

/** Samples times taps from which the float64 transform is faster than the sum: 512 x 512. */
const transformFrom = 2 ** 18;

/** The same convolution channel by channel with float64 transforms; a legal modulus does not change the value. */
function convolveLines(x: Tensor, k: Tensor, lag0: number, circular: boolean): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  const [taps, groups] = k.shape as [number, number];
  const out = tensor(x.element, x.shape);
  const line = new Float64Array(length);
  const filters = Array.from({ length: groups }, (_, g) =>
    lineConvolution(
      { taps: Float64Array.from({ length: taps }, (_t, j) => k.data[j * groups + g]!), lag0, circular },
      length,
    ),
  );
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < width; c++) {
      for (let t = 0; t < length; t++) line[t] = x.data[(b * length + t) * width + c]!;
      const y = filters[Math.floor((c * groups) / width)]!(line);
      for (let t = 0; t < length; t++) out.data[(b * length + t) * width + c] = y[t]!;
    }
  }
  return out;
}

export const longConv = defineOp({
  name: "long_conv",
  summary:
    "y[b,t,c] = sum_s K_c[t-s] x[b,s,c] + skip[c] x[b,t,c], K_c[lag] = k[lag + lag0, floor(c G / D)]. length = 0: exactly that; length = M > 0: computed modulo z^M = -i (M >= L makes it the same); circular: lags modulo L; block > 0: over s with floor(s / block) <= floor(t / block)",
  operands: ["x", "k", "skip?"],
  attributes: {
    lag0: attribute.int,
    circular: withDefault(attribute.bool, false),
    length: withDefault(attribute.dim, dim(0)),
    block: withDefault(attribute.int, 0),
  },
  fusion: "opaque",
  type({ x, k, skip }, { lag0, circular, length, block }, check) {
    const ranked = x.shape.length === 3 && k.shape.length === 2;
    check.that(
      ranked,
      "long_conv_c1",
      `x must be [B, L, D] and k [taps, groups], got ${typeText(x)} and ${typeText(k)}`,
    );
    if (!ranked) return [x];
    const [, extent, width] = x.shape as [(typeof x.shape)[0], (typeof x.shape)[0], (typeof x.shape)[0]];
    const [taps, groups] = k.shape as [(typeof x.shape)[0], (typeof x.shape)[0]];
    check.that(
      width!.dividedBy(groups!) !== undefined,
      "long_conv_c2",
      `${width} channels are not a multiple of ${groups} filters`,
    );
    check.that(
      lag0 >= 0 && lag0 <= taps!.max - 1,
      "long_conv_c3",
      `lag0 ${lag0} is not one of the ${taps} taps`,
    );
    check.that(
      length.value === 0 || length.minus(extent!).min >= 0,
      "long_conv_c4",
      `length ${length} is below the sequence length ${extent}: products that wrap would be wrong`,
    );
    const [before, after] = [dim(lag0), taps!.minus(1 + lag0)];
    const farthest = length.times(2).minus(extent!);
    check.that(
      length.value === 0 ||
        length.minus(extent!).min < 0 ||
        [before, after].every((reach) => farthest.minus(reach).min >= 0),
      "long_conv_c7",
      `taps reach lag ${after} and -${before}; modulo ${length} a lag beyond ${farthest} wraps twice and comes back real`,
    );
    check.that(
      length.value === 0 || !circular,
      "long_conv_c5",
      "a circular convolution has the length of its sequence, so length must be left out",
    );
    check.that(
      block === 0 || (block > 0 && !circular && length.value === 0),
      "long_conv_c8",
      `block ${block} must be 0, or above it for a convolution that is neither circular nor computed modulo a length`,
    );
    check.that(
      skip === undefined || (skip.shape.length === 1 && skip.shape[0]!.equals(width!)),
      "long_conv_c6",
      `skip must be [${width}], got ${skip && typeText(skip)}`,
    );
    return [x];
  },
  evaluate({ x, k, skip }, { lag0, circular, length, block }, context) {
    const sequence = x.shape[1]!;
    const modulus = context.size(length);
    const never = sequence + k.shape[0]!;
    const linear = (w: number): number => (w === 0 ? 1 : 0);
    const seen = (t: number, s: number): boolean => Math.floor(s / block) <= Math.floor(t / block);
    const y =
      block > 0
        ? convolve(x, k, lag0, 2 * never, linear, seen)
        : sequence * k.shape[0]! > transformFrom
          ? convolveLines(x, k, lag0, circular)
          : circular
            ? convolve(x, k, lag0, sequence, () => 1)
            : modulus > 0
              ? convolve(x, k, lag0, modulus, (w) => rightAngle[((w % 4) + 4) % 4]!)
              : convolve(x, k, lag0, 2 * never, linear);
    if (skip !== undefined)
      for (let i = 0; i < y.data.length; i++) y.data[i]! += skip.data[i % skip.data.length]! * x.data[i]!;
    return [y];
  },
  // Transforms spread rounding over the line: about sqrt(log2 M) u |k|_2 |x|_2 / sqrt(1) per output, and a direct
  // sum stays below it. |k|_2 |x|_2 bounds every output by Cauchy-Schwarz.
  rounding({ x, k, skip }) {
    const [batch, length, width] = x.shape as [number, number, number];
    const [taps, groups] = k.shape as [number, number];
    const out = new Float64Array(x.data.length);
    const growth = 2 + Math.log2(length + taps);
    for (let c = 0; c < width; c++) {
      const g = Math.floor((c * groups) / width);
      let filter = 0;
      for (let j = 0; j < taps; j++) filter += k.data[j * groups + g]! ** 2;
      const d = skip?.data[c] ?? 0;
      for (let b = 0; b < batch; b++) {
        let line = 0;
        for (let t = 0; t < length; t++) line += x.data[(b * length + t) * width + c]! ** 2;
        const size = growth * (Math.sqrt(filter) + Math.abs(d)) * Math.sqrt(line);
        for (let t = 0; t < length; t++) out[(b * length + t) * width + c] = size;
      }
    }
    return [out];
  },
});
