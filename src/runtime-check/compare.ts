// Two tensors compared: everything a report may want to know, in one result. What is allowed comes from outside.

import type { Element, Tensor } from "../ir/tensor.js";
import { numbersPer } from "../ir/tensor.js";
import { leastNormal } from "./accuracy.js";

/** Something measured, what was predicted, and how many times that is still honest. */
export interface Measure {
  readonly measured: number;
  readonly predicted: number;
  readonly factor: number;
}

/** A number that is not finite where the reference's is, or the other way round. */
export interface NonFinite {
  readonly index: number;
  readonly actual: number;
  readonly expected: number;
}

export interface Comparison {
  /** Numbers compared (two for each complex element). */
  readonly numbers: number;
  readonly maxAbsolute: number;
  /** Of |actual - expected| / |expected| where expected is not 0. */
  readonly maxRelative: number;
  readonly rms: number;
  /** Largest distance in units in the last place of the expected value's format. */
  readonly maxUlp: number;
  /** Flat index of the largest error beyond what is allowed there, or of the largest error. */
  readonly worst: number;
  readonly worstActual: number;
  readonly worstExpected: number;
  /** Flat index of the first number beyond what is allowed; -1 when none is. */
  readonly first: number;
  readonly nonFinite?: NonFinite;
  /** Numbers that differ at all. */
  readonly differing: number;
  /** Largest and root-mean-square error against prediction; absent for integers and booleans. */
  readonly largest?: Measure;
  readonly spread?: Measure;
  readonly passes: boolean;
}

/** What is allowed: an error model for each number, or one prediction for the whole value. */
export type Allowance =
  | { readonly kind: "each"; readonly sizes: Float64Array; readonly largest: number; readonly rms: number }
  | {
      readonly kind: "whole";
      readonly predicted: { readonly largest: number; readonly rms: number };
      readonly largest: number;
      readonly rms: number;
    }
  | { readonly kind: "exact" };

/** Compares real or complex tensors of one shape. Integers and booleans want `exact`. */
export function compare(actual: Tensor, expected: Tensor, allowance: Allowance): Comparison {
  const n = expected.data.length;
  // What a target may flush to zero is no error (WGSL section 15.7.2; ONNX Runtime's CPU option set_denormal_as_zero).
  const floor = allowance.kind === "exact" ? 0 : leastNormal(expected.element);
  let maxAbsolute = 0;
  let maxRelative = 0;
  let maxUlp = 0;
  let squares = 0;
  let differing = 0;
  let first = -1;
  let worst = -1;
  let most = -1;
  let units = 0;
  let unitSquares = 0;
  let nonFinite: NonFinite | undefined;
  for (let i = 0; i < n; i++) {
    const a = actual.data[i]!;
    const b = expected.data[i]!;
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    differing++;
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      nonFinite ??= { index: i, actual: a, expected: b };
      if (first < 0) first = i;
      continue;
    }
    const error = Math.abs(a - b);
    maxAbsolute = Math.max(maxAbsolute, error);
    if (b !== 0) maxRelative = Math.max(maxRelative, error / Math.abs(b));
    maxUlp = Math.max(maxUlp, error / ulp(b, expected.element));
    squares += error * error;
    const counted = Math.max(0, error - floor);
    const size = allowance.kind === "each" ? allowance.sizes[i]! : 1;
    const unit = counted === 0 ? 0 : counted / size;
    units = Math.max(units, unit);
    unitSquares += unit * unit;
    const limit =
      allowance.kind === "exact"
        ? 0
        : allowance.largest * (allowance.kind === "whole" ? allowance.predicted.largest : 1);
    if (unit > limit && first < 0) first = i;
    if (unit > most) {
      most = unit;
      worst = i;
    }
  }
  const at = nonFinite?.index ?? Math.max(0, worst);
  const predicted = allowance.kind === "whole" ? allowance.predicted : { largest: 1, rms: 1 / Math.sqrt(3) };
  const measures =
    allowance.kind === "exact"
      ? {}
      : {
          largest: { measured: units, predicted: predicted.largest, factor: allowance.largest },
          spread: {
            measured: Math.sqrt(unitSquares / Math.max(1, n)),
            predicted: predicted.rms,
            factor: allowance.kind === "each" ? allowance.rms * Math.sqrt(3) : allowance.rms,
          },
        };
  const within = (m: Measure | undefined): boolean => m === undefined || m.measured <= m.predicted * m.factor;
  return {
    numbers: n,
    maxAbsolute,
    maxRelative,
    rms: Math.sqrt(squares / Math.max(1, n)),
    maxUlp,
    worst: at,
    worstActual: actual.data[at] ?? 0,
    worstExpected: expected.data[at] ?? 0,
    first,
    ...(nonFinite !== undefined && { nonFinite }),
    differing,
    ...measures,
    passes:
      nonFinite === undefined &&
      (allowance.kind === "exact" ? differing === 0 : within(measures.largest) && within(measures.spread)),
  };
}

/** The largest of measured / allowed; 1 is the edge of failing, 0 an exact result. */
export function strain(comparison: Comparison): number {
  if (comparison.nonFinite !== undefined) return Number.POSITIVE_INFINITY;
  const of = (m: Measure | undefined): number =>
    m === undefined || m.measured === 0 ? 0 : m.measured / (m.predicted * m.factor);
  if (comparison.largest === undefined) return comparison.passes ? 0 : Number.POSITIVE_INFINITY;
  return Math.max(of(comparison.largest), of(comparison.spread));
}

/** Unit in the last place of x in a format: 2^(floor(log2 |x|) - fraction bits), that of the least normal below. */
export function ulp(x: number, element: Element): number {
  if (element === "i32" || element === "bool") return 1;
  const [fraction, least] = element === "f16" ? [10, -14] : [23, -126];
  if (x === 0) return 2 ** (least - fraction);
  // The exponent field of a float64 is floor(log2 |x|) + 1023; a smaller number than any normal one has less than `least`.
  number[0] = x;
  const exponent = ((words[high]! >>> 20) & 0x7ff) - 1023;
  words[high] = (Math.max(least, exponent) - fraction + 1023) << 20;
  words[1 - high] = 0;
  return number[0];
}

const number = new Float64Array(1);
const words = new Int32Array(number.buffer);
/** Which of a float64's words has the exponent: the second where numbers are little-endian. */
const high = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;

/** `[1, 3, 0]` of a flat index into numbers; the imaginary part of a complex element has a last index 1. */
export function indexOf(flat: number, tensor: Tensor): number[] {
  const shape = numbersPer(tensor.element) === 2 ? [...tensor.shape, 2] : tensor.shape;
  const index: number[] = [];
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(rest % shape[axis]!);
    rest = Math.floor(rest / shape[axis]!);
  }
  return index;
}
