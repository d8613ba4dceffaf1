// What targets promise, or were measured to do, in functions that IEEE 754 does not fix. Everything else
// (+, -, *, moves) is correctly rounded everywhere, so an op's own model needs no table for it.
//
// An error is  relative |y| + argument |x y| + absolute, in units of the unit roundoff u of the format
// (2^-24 for f32); one ULP is at most 2 u |y|. The absolute part is no luxury: ONNX Runtime's CPU sigmoid is 0
// below -18, and WGSL promises sin and cos only to 2^-11.

import type { AccurateFunction } from "../ir/op.js";
import type { Element } from "../ir/tensor.js";

/** Error of one function y = f(x), in units of u. */
export interface FunctionError {
  /** Times |y|. */
  readonly relative: number;
  /** Times |x y|: what a rounded argument of exp costs. */
  readonly argument?: number;
  readonly absolute?: number;
}

/** A target's functions, and where the numbers come from. */
export interface Accuracy {
  readonly name: string;
  readonly source: string;
  readonly functions: Readonly<Record<AccurateFunction, FunctionError>>;
}

/** Every function rounds once, as if by a perfect library. */
export const correctlyRounded: Accuracy = {
  name: "correctly rounded",
  source: "IEEE 754-2019, section 9.2 (recommended correctly rounded functions)",
  functions: {
    exp: { relative: 1 },
    log: { relative: 1 },
    sqrt: { relative: 1 },
    rsqrt: { relative: 1 },
    div: { relative: 1 },
    tanh: { relative: 1 },
    sigmoid: { relative: 1 },
    erf: { relative: 1 },
    sin: { relative: 1 },
    cos: { relative: 1 },
    pow: { relative: 1 },
  },
};

/**
 * ONNX Runtime on CPU. Largest errors over 2^20 equally spaced arguments of each of: exp [-87, 88] 1.27, log
 * [1e-6, 100] 4.07, sqrt 1.00, 1/sqrt (two nodes) 1.50, div 1.00, tanh [-10, 10] 5.30, erf [-4, 4] 1.39, sin
 * and cos [-1000, 1000] 2.92, all in u |y|, rounded up here; sigmoid [-87, 20] 2.80 u, whatever y is.
 */
export const onnxRuntimeCpu: Accuracy = {
  name: "ONNX Runtime CPU",
  source: "measured: ONNX Runtime 1.30, CPU provider, x64 with AVX2, against float64",
  functions: {
    exp: { relative: 2 },
    log: { relative: 5 },
    sqrt: { relative: 1 },
    rsqrt: { relative: 2 },
    div: { relative: 1 },
    tanh: { relative: 6 },
    sigmoid: { relative: 0, absolute: 3 },
    erf: { relative: 2 },
    sin: { relative: 3 },
    cos: { relative: 3 },
    // exp(y ln x): the relative error of the logarithm becomes absolute in the exponent.
    pow: { relative: 2, argument: 5 },
  },
};

/**
 * WGSL: the table "Accuracy of concrete floating point operations" of the specification, section 15.7.4.1, f32.
 * erf is no builtin: what is computed is a polynomial and one exp. sigmoid is inherited from 1 / (1 + exp(-x)).
 */
export const wgsl: Accuracy = {
  name: "WGSL",
  source: "https://www.w3.org/TR/WGSL/#concrete-float-accuracy",
  functions: {
    exp: { relative: 6, argument: 4 },
    log: { relative: 6, absolute: 8 },
    sqrt: { relative: 9 },
    rsqrt: { relative: 4 },
    div: { relative: 5 },
    tanh: { relative: 0, absolute: 1e-5 * 2 ** 24 },
    sigmoid: { relative: 12, argument: 4 },
    erf: { relative: 0, absolute: 12 },
    sin: { relative: 0, absolute: 2 ** 13 },
    cos: { relative: 0, absolute: 2 ** 13 },
    pow: { relative: 6, argument: 12 },
  },
};

/** Unit roundoff of an element's format; 0 where numbers are exact. */
export function unitRoundoff(element: Element): number {
  return element === "f16" ? 2 ** -11 : element === "i32" || element === "bool" ? 0 : 2 ** -24;
}

/** The least normal number of a format: targets may flush what is below it to zero. */
export function leastNormal(element: Element): number {
  return element === "f16" ? 2 ** -14 : 2 ** -126;
}
