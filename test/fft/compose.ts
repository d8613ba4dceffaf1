// Runs a transform's chain of matrix products on one channel in float64, exactly as a back end would: only
// products, one broadcast multiplication and reshapes.

import { spectrumOfTaps, type Taps } from "../../src/ir/fft/spectrum.js";
import { stageMatrix } from "../../src/ir/fft/stages.js";
import {
  type Direction,
  type MatrixStack,
  samples,
  spectrumShape,
  stageShape,
  type Transform,
} from "../../src/ir/fft/transform.js";

/** [batch, columns, inner] -> [batch, rows, inner]. */
function product(matrix: MatrixStack, x: Float64Array, inner: number): Float64Array {
  const { batch, rows, columns, data } = matrix;
  if (x.length !== batch * columns * inner) throw new Error(`${x.length} != ${batch}x${columns}x${inner}`);
  const y = new Float64Array(batch * rows * inner);
  for (let b = 0; b < batch; b++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const weight = data[(b * rows + r) * columns + c]!;
        if (weight === 0) continue;
        for (let i = 0; i < inner; i++)
          y[(b * rows + r) * inner + i]! += weight * x[(b * columns + c) * inner + i]!;
      }
  return y;
}

export function runStage(transform: Transform, stage: number, direction: Direction, x: Float64Array) {
  const { inner, columns, batch } = stageShape(transform, stage, direction);
  const complexInput = direction === "forward" && stage === 0 && x.length === 2 * batch * columns * inner;
  return product(stageMatrix(transform, stage, direction, complexInput), x, inner);
}

/** Forward stages over x (zero-padded to the transform's samples). */
export function forward(transform: Transform, x: Float64Array): Float64Array {
  let data: Float64Array = new Float64Array(samples(transform));
  data.set(x);
  for (let stage = 0; stage < transform.factors.length; stage++)
    data = runStage(transform, stage, "forward", data);
  return data;
}

/** (a, b) by (c, d) -> (ac, bc, ad, bd), as the broadcast [Q, 1, 2, K] x [Q, 2, 1, K] gives it. */
export function multiply(transform: Transform, data: Float64Array, spectrum: Float64Array): Float64Array {
  const [groups, , , bins] = spectrumShape(transform, 1) as [number, number, number, number, number];
  const result = new Float64Array(4 * groups * bins);
  for (let g = 0; g < groups; g++)
    for (let h = 0; h < 2; h++)
      for (let part = 0; part < 2; part++)
        for (let k = 0; k < bins; k++)
          result[((g * 2 + h) * 2 + part) * bins + k] =
            spectrum[(g * 2 + h) * bins + k]! * data[(g * 2 + part) * bins + k]!;
  return result;
}

export function backward(transform: Transform, products: Float64Array, length: number): Float64Array {
  let data = products;
  for (let stage = transform.factors.length - 1; stage >= 0; stage--)
    data = runStage(transform, stage, "inverse", data);
  return data.slice(0, length);
}

/** The whole convolution of one line by one group of taps. */
export function convolveByStages(
  transform: Transform,
  taps: Taps,
  x: Float64Array,
  skip = 0,
  scale = 1,
): Float64Array {
  const folded = { channels: 1, skip: Float64Array.of(skip), scale: Float64Array.of(scale) };
  const spectrum = spectrumOfTaps(transform, taps, x.length, folded);
  return backward(transform, multiply(transform, forward(transform, x), spectrum), x.length);
}

/** Seeded numbers in [-1, 1), so that a failure can be repeated. */
export function noise(count: number, seed: number): Float64Array {
  let state = (seed * 2654435761) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Largest difference over the largest expected value. */
export function relativeError(got: Float64Array, expected: Float64Array): number {
  let difference = got.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  let size = 1e-300;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(got[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return difference / size;
}
