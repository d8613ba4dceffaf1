// The right-angle Monarch transform: real lines, evaluated at the M points z_k = exp(-2 pi i (1 + 4k) / 4M),
// where z^M = -i. A product term that wraps once is turned by a right angle into the imaginary part, so the
// real part is the exact linear convolution for every M >= L: no zero padding to 2L, no special bins.

import {
  binRow,
  childCount,
  groupCount,
  type MatrixStack,
  points,
  rest,
  stackFor,
  stageScale,
  stageShape,
  type Transform,
  writeBinWeights,
} from "./transform.js";

/**
 * The bins k_1 + N_1 k_2 + ... of the digits (k_1 .. k_stage), k_1 slowest, in the order the data has them.
 */
export function rightAngleBins({ factors }: Transform, stage: number): number[] {
  let bins = [0];
  let weight = 1;
  for (const factor of factors.slice(0, stage)) {
    bins = bins.flatMap((bin) => Array.from({ length: factor }, (_, k) => bin + weight * k));
    weight *= factor;
  }
  return bins;
}

/** cos and sin of 2 pi (1 + 4 bin) time / 4M, the angle reduced in integers first. */
function turn(bin: number, time: number, M: number): { cos: number; sin: number } {
  const angle = (2 * Math.PI * (((1 + 4 * bin) * time) % (4 * M))) / (4 * M);
  return { cos: Math.cos(angle), sin: Math.sin(angle) };
}

/**
 * Forward stage s: group g of bins kappa, C[k, n] = exp(-2 pi i (1 + 4 (kappa + P_s k)) n rest_s / 4M), every
 * twiddle inside, as the real block [[Re, -Im], [Im, Re]].
 */
export function rightAngleForward(transform: Transform, stage: number, complexInput = false): MatrixStack {
  const shape = stageShape(transform, stage, "forward", complexInput);
  const stack = stackFor(shape);
  const M = points(transform);
  const scale = stageScale(transform, stage, "forward");
  const digits = stage === 0 ? transform.rows : transform.factors[stage]!;
  const hasImaginary = shape.columns === 2 * digits;
  const weight = groupCount(transform, stage);
  rightAngleBins(transform, stage).forEach((kappa, group) => {
    for (let k = 0; k < childCount(transform, stage); k++) {
      const re = stack.data.subarray((group * shape.rows + binRow(transform, stage, k, 0)) * shape.columns);
      const im = stack.data.subarray((group * shape.rows + binRow(transform, stage, k, 1)) * shape.columns);
      for (let n = 0; n < digits; n++) {
        const { cos, sin } = turn(kappa + weight * k, n * rest(transform, stage), M);
        re[n] = scale * cos;
        im[n] = -scale * sin;
        if (!hasImaginary) continue;
        re[digits + n] = scale * sin;
        im[digits + n] = scale * cos;
      }
    }
  });
  return stack;
}

/**
 * Inverse stage s: the conjugate transpose of the forward stage; the first stage keeps the real part only.
 */
export function rightAngleInverse(transform: Transform, stage: number): MatrixStack {
  const shape = stageShape(transform, stage, "inverse");
  const stack = stackFor(shape);
  const M = points(transform);
  const scale = stageScale(transform, stage, "inverse");
  const digits = stage === 0 ? transform.rows : transform.factors[stage]!;
  const weight = groupCount(transform, stage);
  rightAngleBins(transform, stage).forEach((kappa, group) => {
    const rowAt = (row: number) => stack.data.subarray((group * shape.rows + row) * shape.columns);
    for (let n = 0; n < digits; n++) {
      for (let k = 0; k < childCount(transform, stage); k++) {
        const { cos, sin } = turn(kappa + weight * k, n * rest(transform, stage), M);
        writeBinWeights(transform, stage, rowAt(n), k, scale * cos, -scale * sin);
        if (stage > 0) writeBinWeights(transform, stage, rowAt(digits + n), k, scale * sin, scale * cos);
      }
    }
  });
  return stack;
}
