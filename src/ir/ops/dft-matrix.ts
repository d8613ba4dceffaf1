// The matrices of a real discrete Fourier transform, for mixers whose length is part of their meaning. One line of text,
// whatever their size; every angle is reduced before its sine is taken.

import { dim } from "../dim.js";
import { attribute, choice, defineOp, rounding } from "../op.js";
import { tensor } from "../tensor.js";

/** cos and sin of 2 pi j / n for any integer j, exact at multiples of a quarter turn. */
function turn(j: number, n: number): [number, number] {
  const r = ((j % n) + n) % n;
  const quarter = (4 * r) / n;
  if (Number.isInteger(quarter)) return [[1, 0, -1, 0][quarter]!, [0, 1, 0, -1][quarter]!];
  const angle = (2 * Math.PI * r) / n;
  return [Math.cos(angle), Math.sin(angle)];
}

export const dftMatrix = defineOp({
  name: "dft_matrix",
  summary:
    "forward: [2 bins, length], rows cos(2 pi k t / length), then -sin(..): products with a real line are the real, then the imaginary parts of its first bins. inverse: [length, 2 bins], what turns those of a real line back into it, other bins being zero",
  operands: [],
  attributes: {
    length: attribute.int,
    bins: attribute.int,
    direction: choice("forward", "inverse"),
  },
  fusion: "constant",
  type(_, { length, bins, direction }, check) {
    check.that(length >= 1, "dft_matrix_c1", `a line has at least one sample, not ${length}`);
    const most = direction === "forward" ? length : Math.floor(length / 2) + 1;
    check.that(
      bins >= 1 && bins <= most,
      "dft_matrix_c2",
      `${direction} transforms of ${length} samples have 1 to ${most} bins, not ${bins}`,
    );
    const shape = direction === "forward" ? [2 * bins, length] : [length, 2 * bins];
    return [{ element: "f32", shape: shape.map((extent) => dim(Math.max(1, extent))) }];
  },
  evaluate(_, { length, bins, direction }) {
    const data = new Float64Array(2 * bins * length);
    for (let k = 0; k < bins; k++) {
      // Bins 0 and length / 2 of a real line are their own mirror images.
      const weight = direction === "forward" ? 1 : ((2 * k) % length === 0 ? 1 : 2) / length;
      for (let t = 0; t < length; t++) {
        const [c, s] = turn(k * t, length);
        const [real, imaginary] = [weight * c, -weight * s];
        if (direction === "forward") {
          data[k * length + t] = real;
          data[(bins + k) * length + t] = imaginary;
        } else {
          data[t * 2 * bins + k] = real;
          data[t * 2 * bins + bins + k] = imaginary;
        }
      }
    }
    return [tensor("f32", direction === "forward" ? [2 * bins, length] : [length, 2 * bins], data)];
  },
  rounding: rounding.ulps(1),
});
