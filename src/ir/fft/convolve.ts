// Long convolutions of real lines in float64: the sum itself for short ones, the fast transform for long ones.

import { fft, inverseFft } from "./mixed-radix.js";

/** Work (samples times taps) above which the transform is cheaper than the sum. */
const directLimit = 1 << 14;

/** One filter: K[lag] = taps[lag + lag0], zero outside; `circular` counts lags modulo the line's length. */
export interface LineFilter {
  readonly taps: Float64Array;
  readonly lag0: number;
  readonly circular: boolean;
}

/** y[i] = sum_j K[i - j] x[j] for lines of `length` samples; the filter's transform is made once. */
export function lineConvolution(filter: LineFilter, length: number): (x: Float64Array) => Float64Array {
  if (length * filter.taps.length <= directLimit) return (x) => directConvolution(filter, x);
  const size = filter.circular ? length : 2 ** Math.ceil(Math.log2(2 * length - 1));
  const kernel = new Float64Array(2 * size);
  filter.taps.forEach((tap, t) => {
    const lag = t - filter.lag0;
    if (filter.circular || Math.abs(lag) < length) kernel[2 * (((lag % size) + size) % size)]! += tap;
  });
  const spectrum = fft(kernel);
  return (x) => {
    const line = new Float64Array(2 * size);
    for (let i = 0; i < length; i++) line[2 * i] = x[i]!;
    const bins = fft(line);
    for (let i = 0; i < bins.length; i += 2) {
      const re = bins[i]! * spectrum[i]! - bins[i + 1]! * spectrum[i + 1]!;
      const im = bins[i]! * spectrum[i + 1]! + bins[i + 1]! * spectrum[i]!;
      bins[i] = re;
      bins[i + 1] = im;
    }
    const wide = inverseFft(bins);
    return Float64Array.from({ length }, (_, i) => wide[2 * i]!);
  };
}

/** The definition, term by term. */
export function directConvolution({ taps, lag0, circular }: LineFilter, x: Float64Array): Float64Array {
  const length = x.length;
  const y = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let t = 0; t < taps.length; t++) {
      const j = i - (t - lag0);
      if (circular) sum += taps[t]! * x[((j % length) + length) % length]!;
      else if (j >= 0 && j < length) sum += taps[t]! * x[j]!;
    }
    y[i] = sum;
  }
  return y;
}
