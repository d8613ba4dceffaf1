// What targets promise, or were measured to do, in functions that IEEE 754 does not fix. Everything else
// (+, -, *, moves) is correctly rounded everywhere, so an op's own model needs no table for it.
//
// An error is  relative |y| + argument |x y| + absolute, in units of the unit roundoff u of the format
// (2^-24 for f32); one ULP is at most 2 u |y|. The absolute part is no luxury: ONNX Runtime's CPU sigmoid is 0
// below -18, and WGSL promises sin and cos only to 2^-11.

import type { Op } from "../ir/graph.js";
import { type AccurateFunction, operandRecord, type RoundingContext } from "../ir/op.js";
import { definitionOf } from "../ir/ops/index.js";
import type { Element, Tensor } from "../ir/tensor.js";
import { oneSidedSums } from "./one-sided-sums.js";

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

/** Which function an op is made of, and how much of its absolute error reaches the result. */
const inner: Readonly<Record<string, { of: AccurateFunction; gain: (x: number) => number }>> = {
  exp: { of: "exp", gain: () => 1 },
  log: { of: "log", gain: () => 1 },
  sqrt: { of: "sqrt", gain: () => 1 },
  rsqrt: { of: "rsqrt", gain: () => 1 },
  tanh: { of: "tanh", gain: () => 1 },
  sigmoid: { of: "sigmoid", gain: () => 1 },
  erf: { of: "erf", gain: () => 1 },
  sin: { of: "sin", gain: () => 1 },
  cos: { of: "cos", gain: () => 1 },
  softplus: { of: "log", gain: () => 1 },
  silu: { of: "sigmoid", gain: Math.abs },
  gelu: { of: "erf", gain: (x) => Math.abs(x) / 2 },
};

/**
 * The op's own rounding error on the target, fed these operands: one size per result number, absolute (its
 * rounding model times u). What the error really is lies within it, like u |y| xi with xi in [-1, 1].
 */
export function localError(
  op: Op,
  operands: readonly (Tensor | undefined)[],
  results: readonly Tensor[],
  accuracy: Accuracy,
): readonly Float64Array[] {
  const definition = definitionOf(op.name)!;
  const context: RoundingContext = { ulps: (name) => accuracy.functions[name].relative };
  const sizes = definition.rounding(
    operandRecord(definition.operands, operands) as never,
    results,
    op.attributes as never,
    context,
  );
  const used = inner[op.name];
  const error = used && accuracy.functions[used.of];
  const sums = oneSidedSums(op, operands, results);
  return sizes.map((size, r) => {
    const { element, data } = results[r]!;
    const u = unitRoundoff(element);
    const x = operands[0]?.data;
    // A factor that f32 does not hold is rounded as well (`scale` itself counts the product and the sum).
    const factor = op.name === "scale" ? Math.abs(op.attributes.factor as number) : 0;
    const inexact = factor !== Math.fround(factor) ? factor : 0;
    return size.map((s, i) => {
      const extra =
        error === undefined || x === undefined
          ? 0
          : (error.absolute ?? 0) * used!.gain(x[i]!) + (error.argument ?? 0) * Math.abs(x[i]! * data[i]!);
      return u * (s + (sums?.[i] ?? 0) + inexact * Math.abs(x?.[i] ?? 0) + extra);
    });
  });
}
