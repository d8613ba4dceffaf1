// The convolution as one transform, one multiplication and one transform back: what a kernel that keeps the
// line in fast memory computes. The filter comes as its spectrum, so linear and circular filters are the same.

import { product } from "../dim.js";
import { fft, inverseFft } from "../fft/mixed-radix.js";
import { rightAngleBins } from "../fft/right-angle.js";
import { points } from "../fft/transform.js";
import { attribute, defineOp } from "../op.js";
import { type Tensor, tensor } from "../tensor.js";
import { type TensorType, typeText } from "../type.js";

export const fftConv = defineOp({
  name: "fft_conv",
  summary:
    "y[b,t,c] = Re 1/M sum_k X_k H_k exp(i a_k t), X_k = sum_t x[b,t,c] exp(-i a_k t), a_k = 2 pi (1 + 4k) / 4M, M = N_1 .. N_p >= L; H_k = spectrum[floor(c G / D), part, k_p, q], q the digits k_1 .. k_(p-1), k_1 slowest, k = k_1 + N_1 k_2 + ..",
  operands: ["x", "spectrum"],
  attributes: { factors: attribute.ints },
  fusion: "opaque",
  type({ x, spectrum }, { factors }, check) {
    const ranked = x.shape.length === 3 && spectrum.shape.length === 4;
    check.that(
      ranked && isFloat(x) && isFloat(spectrum),
      "fft_conv_c1",
      `x must be f32 or f16 [B, L, D] and spectrum f32 or f16 [G, 2, K, Q], got ${typeText(x)} and ${typeText(spectrum)}`,
    );
    const whole = factors.length > 0 && factors.every((factor) => Number.isInteger(factor) && factor >= 1);
    check.that(whole, "fft_conv_c2", `factors must be positive integers, got [${factors.join(", ")}]`);
    if (!ranked || !whole) return [x];
    const M = points({ factors });
    const last = factors[factors.length - 1]!;
    const bins = spectrum.shape.slice(1);
    check.that(
      bins[0]!.value === 2 && bins[1]!.value === last && product(bins).value === 2 * M,
      "fft_conv_c3",
      `factors [${factors.join(", ")}] need a spectrum [G, 2, ${last}, ${M / last}], got ${typeText(spectrum)}`,
    );
    check.that(
      x.shape[1]!.max <= M,
      "fft_conv_c4",
      `${x.shape[1]} samples need at least as many points, the factors give ${M}`,
    );
    check.that(
      x.shape[2]!.dividedBy(spectrum.shape[0]!) !== undefined,
      "fft_conv_c5",
      `${x.shape[2]} channels are not a multiple of ${spectrum.shape[0]} filters`,
    );
    return [x];
  },
  evaluate({ x, spectrum }, { factors }) {
    const [batch, length, width] = x.shape as [number, number, number];
    const groups = spectrum.shape[0]!;
    const M = points({ factors });
    const bins = rightAngleBins(
      { form: "right_angle", factors, rows: factors[0]!, scaling: "last" },
      factors.length,
    );
    const last = factors[factors.length - 1]!;
    const out = tensor(x.element, x.shape);
    for (let b = 0; b < batch; b++) {
      for (let c = 0; c < width; c++) {
        const filter = spectrum.data.subarray(Math.floor((c * groups) / width) * 2 * M);
        const line = new Float64Array(2 * M);
        for (let t = 0; t < length; t++) {
          const angle = (Math.PI * t) / (2 * M);
          const value = x.data[(b * length + t) * width + c]!;
          line[2 * t] = value * Math.cos(angle);
          line[2 * t + 1] = -value * Math.sin(angle);
        }
        const X = fft(line);
        bins.forEach((bin, i) => {
          // Bin i of the order (q, k_p) stands at [k_p, q] of the spectrum.
          const at = (i % last) * (M / last) + Math.floor(i / last);
          const [a, d] = [X[2 * bin]!, X[2 * bin + 1]!];
          const [re, im] = [filter[at]!, filter[M + at]!];
          X[2 * bin] = a * re - d * im;
          X[2 * bin + 1] = a * im + d * re;
        });
        const y = inverseFft(X);
        for (let t = 0; t < length; t++) {
          const angle = (Math.PI * t) / (2 * M);
          out.data[(b * length + t) * width + c] =
            y[2 * t]! * Math.cos(angle) - y[2 * t + 1]! * Math.sin(angle);
        }
      }
    }
    return [out];
  },
  // Each of log2 M butterfly levels, both ways, adds a few roundings of the line's norm. The first transform's
  // errors are white, so of |x|_2 they leave |k|_2 |x|_2 / sqrt M per sample; the second's are of the result itself.
  rounding({ x, spectrum }, [y], { factors }) {
    const [, length, width] = x.shape as [number, number, number];
    const M = points({ factors });
    const filters = tapNorms(spectrum, M);
    const out = new Float64Array(x.data.length);
    const growth = (2 + 2 * Math.log2(2 * M)) / Math.sqrt(M);
    for (let line = 0; line < out.length / length; line++) {
      const c = line % width;
      const from = (line - c) * length + c;
      const filter = filters[Math.floor((c * filters.length) / width)]!;
      const norm = (data: Float64Array): number => {
        let square = 0;
        for (let t = 0; t < length; t++) square += data[from + t * width]! ** 2;
        return Math.sqrt(square);
      };
      const size = growth * (filter * norm(x.data) + norm(y!.data));
      for (let t = 0; t < length; t++) out[from + t * width] = size;
    }
    return [out];
  },
});

function isFloat({ element }: TensorType): boolean {
  return element === "f32" || element === "f16";
}

/** |k|_2 of each filter's taps: the root of the mean square bin (Parseval). */
function tapNorms({ shape, data }: Tensor, M: number): Float64Array {
  const squares = new Float64Array(shape[0]!);
  for (let i = 0; i < data.length; i++) squares[Math.floor(i / (2 * M))]! += data[i]! ** 2 / M;
  return squares.map(Math.sqrt);
}
