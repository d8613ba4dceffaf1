// A convolution transform as a chain of matrix products: its description, the shapes between its stages, and
// the stacks of real matrices the stages multiply by. right-angle.ts and packed-circular.ts fill the
// matrices.
//
// Time    t = n_1 rest_1 + n_2 rest_2 + ... + n_p          (n_1 slowest, rest_s = N_{s+1} ... N_p)
// Bin     k = k_1 + N_1 k_2 + N_1 N_2 k_3 + ...             (k_1 fastest)
// Stage s turns digit n_s into digit k_s in place, so only row-major reshapes stand between the products.

import { bug } from "../../support/diagnostic.js";

/**
 * `right_angle`: modulo z^M = -i, the exact linear convolution in the real part for any M >= L (Monarch's
 * factorisation, Fu et al. 2023, over shifted bins). `packed_circular`: the circular convolution of length M
 * over the M/2 bins a real line has, half the work; N_1 must be even.
 */
export type Form = "right_angle" | "packed_circular";

/** A transform of M = N_1 ... N_p points, applied along the second axis of x[B, samples, D]. */
export interface Transform {
  readonly form: Form;
  readonly factors: readonly number[];
  /** Values of n_1 that carry data: `rows * rest_1` samples go in and come out, the others are zero. */
  readonly rows: number;
  /** `last`: 1/M in the last product. `each`: 1/sqrt(N_s) in every matrix, both ways, which f16 needs. */
  readonly scaling: "last" | "each";
}

export type Direction = "forward" | "inverse";

/** A stack [batch, rows, columns] of real matrices, row-major. */
export interface MatrixStack {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** One product of the chain: data [B, batch, columns, inner * D] -> [B, batch, rows, inner * D]. */
export interface StageShape {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
}

/** M, the number of points. */
export function points(transform: Pick<Transform, "factors">): number {
  return productOf(transform.factors, 0, transform.factors.length);
}

/** A loop, since plans price a hundred thousand factorisations. */
function productOf(factors: readonly number[], from: number, to: number): number {
  let product = 1;
  for (let i = from; i < to; i++) product *= factors[i]!;
  return product;
}

/** N_{s+1} ... N_p for the 0-based stage s. */
export function rest(transform: Pick<Transform, "factors">, stage: number): number {
  return productOf(transform.factors, stage + 1, transform.factors.length);
}

/** Samples that enter and leave: the data's length after padding. */
export function samples(transform: Transform): number {
  return transform.rows * rest(transform, 0);
}

/** The transform for data of `length` samples: as few rows as hold them. */
export function transformFor(
  form: Form,
  factors: readonly number[],
  length: number,
  scaling: Transform["scaling"] = "last",
): Transform {
  const transform = { form, factors, rows: Math.ceil(length / rest({ factors }, 0)), scaling };
  if (transform.rows > factors[0]!) bug(`factors ${factors.join("x")} hold fewer than ${length} samples`);
  if (form === "packed_circular" && factors[0]! % 2 !== 0)
    bug(`the packed circular form needs an even first factor, got ${factors.join("x")}`);
  return transform;
}

/** N_1 ... N_{s-1}: bins found before the 0-based stage s. */
export function found(transform: Pick<Transform, "factors">, stage: number): number {
  return productOf(transform.factors, 0, stage);
}

/** Groups before the 0-based stage s: bins found so far, a packed pair or conjugate pair counting once. */
export function groupCount(transform: Transform, stage: number): number {
  const bins = found(transform, stage);
  return transform.form === "packed_circular" && stage > 0 ? bins / 2 : bins;
}

/** Groups each group of the 0-based stage s becomes. */
export function childCount({ form, factors }: Transform, stage: number): number {
  return form === "packed_circular" && stage === 0 ? factors[0]! / 2 : factors[stage]!;
}

/**
 * Shape of one product. Forward columns are (part, n_s); rows are (k_s, part), in the last stage (part, k_s).
 * Inverse stages mirror that, except that the last stage reads the four products of `spectrumShape`.
 * With `complexInput` the first forward stage reads (re, im), as spectra of two-sided taps need.
 */
export function stageShape(
  transform: Transform,
  stage: number,
  direction: Direction,
  complexInput = false,
): StageShape {
  const last = transform.factors.length - 1;
  const bins = 2 * childCount(transform, stage);
  const digits = stage === 0 ? transform.rows : 2 * transform.factors[stage]!;
  const shape = { batch: groupCount(transform, stage), inner: rest(transform, stage) };
  if (direction === "inverse") return { ...shape, rows: digits, columns: stage === last ? 2 * bins : bins };
  return { ...shape, rows: bins, columns: stage === 0 && complexInput ? 2 * digits : digits };
}

/**
 * The spectrum is [Q, 2, 1, K, C]: real parts c, then imaginary parts d, of the bins (group, k_p). The data's
 * last forward stage gives (a, b) as [B, Q, 1, 2, K, C]; one broadcast product makes (ac, bc, ad, bd), and
 * the last inverse stage's columns sum them to the complex product. No part is ever shuffled.
 */
export function spectrumShape(transform: Transform, channels: number): readonly number[] {
  const last = transform.factors.length - 1;
  return [groupCount(transform, last), 2, 1, childCount(transform, last), channels];
}

/** Zeroed matrices of a stage. */
export function stackFor({ batch, rows, columns }: StageShape): MatrixStack {
  return { batch, rows, columns, data: new Float64Array(batch * rows * columns) };
}

/** 1/N factor that belongs to this stage's matrix. */
export function stageScale({ factors, scaling }: Transform, stage: number, direction: Direction): number {
  if (scaling === "each") return 1 / Math.sqrt(factors[stage]!);
  return direction === "inverse" && stage === 0 ? 1 / points({ factors }) : 1;
}

/** Position of (bin, part) among a forward stage's rows: (k, part), in the last stage (part, k). */
export function binRow(transform: Transform, stage: number, bin: number, part: 0 | 1): number {
  const isLast = stage === transform.factors.length - 1;
  return isLast ? part * childCount(transform, stage) + bin : 2 * bin + part;
}

/**
 * Adds to an inverse matrix the weights with which one output row takes a bin's real and imaginary part.
 * In the last stage the parts are sums of products, Re = ac - bd and Im = bc + ad; of a packed pair of real
 * bins they are Re = ac and Im = bd.
 */
export function writeBinWeights(
  transform: Transform,
  stage: number,
  rowOfMatrix: Float64Array,
  bin: number,
  re: number,
  im: number,
  isPair = false,
): void {
  const bins = childCount(transform, stage);
  if (stage !== transform.factors.length - 1) {
    rowOfMatrix[2 * bin] = re;
    rowOfMatrix[2 * bin + 1] = im;
    return;
  }
  rowOfMatrix[bin] = re;
  rowOfMatrix[bins + bin] = isPair ? 0 : im;
  rowOfMatrix[2 * bins + bin] = isPair ? 0 : im;
  rowOfMatrix[3 * bins + bin] = isPair ? im : -re;
}
