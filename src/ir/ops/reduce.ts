// Sums, means, maxima and softmax along axes; argmax with ties to the lowest index.

import { lines } from "../loops.js";
import { attribute, type Check, defineOp, rounding, withDefault } from "../op.js";
import { count, type Tensor, tensor } from "../tensor.js";
import { type TensorType, typeText, withExtent } from "../type.js";

function axisType(
  x: TensorType,
  axis: number,
  name: string,
  check: Check,
  element: readonly string[] = ["f32", "f16"],
): boolean {
  check.that(
    element.includes(x.element),
    `${name}_c1`,
    `x must be ${element.join(" or ")}, got ${typeText(x)}`,
  );
  const inRange = Number.isInteger(axis) && axis >= 0 && axis < x.shape.length;
  check.that(inRange, `${name}_c2`, `axis ${axis} is out of range for rank ${x.shape.length}`);
  return inRange;
}

function reduced(x: TensorType, axis: number, keepdims: boolean): TensorType {
  return keepdims
    ? withExtent(x, axis, 1)
    : { element: x.element, shape: x.shape.filter((_, i) => i !== axis) };
}

function fold(
  x: Tensor,
  axis: number,
  keepdims: boolean,
  f: (data: Float64Array, start: number, stride: number, length: number) => number,
  element = x.element,
): Tensor {
  const length = x.shape[axis]!;
  const shape = keepdims ? x.shape.map((n, i) => (i === axis ? 1 : n)) : x.shape.filter((_, i) => i !== axis);
  const out = tensor(element, shape);
  lines(x.shape, axis, 1, (start, to, stride) => {
    out.data[to] = f(x.data, start, stride, length);
  });
  return out;
}

const sumOf = (data: Float64Array, start: number, stride: number, length: number): number => {
  let total = 0;
  for (let i = 0; i < length; i++) total += data[start + i * stride]!;
  return total;
};

/** sqrt(K) times the root sum of squares of the terms: K roundings of random sign, each as large as a partial sum can be. */
const normOf = (data: Float64Array, start: number, stride: number, length: number): number => {
  let squares = 0;
  for (let i = 0; i < length; i++) squares += data[start + i * stride]! ** 2;
  return Math.sqrt(length * squares);
};

function reduction<const N extends string>(
  name: N,
  summary: string,
  f: (data: Float64Array, start: number, stride: number, length: number) => number,
  terms: ((length: number) => number) | undefined,
) {
  return defineOp({
    name,
    summary,
    operands: ["x"],
    attributes: { axis: attribute.int, keepdims: withDefault(attribute.bool, false) },
    fusion: "reduction",
    type: ({ x }, { axis, keepdims }, check) =>
      axisType(x, axis, name, check) ? [reduced(x, axis, keepdims)] : [x],
    evaluate: ({ x }, { axis, keepdims }) => [fold(x, axis, keepdims, f)],
    rounding: ({ x }, results, { axis, keepdims }) =>
      terms === undefined
        ? rounding.exact(undefined, results)
        : [fold(x, axis, keepdims, normOf).data.map((v) => v * terms(x.shape[axis]!))],
  });
}

export const reduceSum = reduction("reduce_sum", "y = sum_i x[i] along axis", sumOf, () => 1);
export const reduceMean = reduction(
  "reduce_mean",
  "y = (1/n) sum_i x[i] along axis",
  (d, s, t, n) => sumOf(d, s, t, n) / n,
  (n) => 1 / n,
);
export const reduceMax = reduction(
  "reduce_max",
  "y = max_i x[i] along axis",
  (data, start, stride, length) => {
    let best = data[start]!;
    for (let i = 1; i < length; i++) best = Math.max(best, data[start + i * stride]!);
    return best;
  },
  undefined,
);

export const argmax = defineOp({
  name: "argmax",
  summary: "y = least i with x[i] = max x along axis",
  operands: ["x"],
  attributes: { axis: attribute.int },
  fusion: "reduction",
  type: ({ x }, { axis }, check) =>
    axisType(x, axis, "argmax", check) ? [{ ...reduced(x, axis, false), element: "i32" as const }] : [x],
  evaluate: ({ x }, { axis }) => [
    fold(
      x,
      axis,
      false,
      (data, start, stride, length) => {
        let best = 0;
        for (let i = 1; i < length; i++)
          if (data[start + i * stride]! > data[start + best * stride]!) best = i;
        return best;
      },
      "i32",
    ),
  ],
  rounding: rounding.exact,
});

export const softmax = defineOp({
  name: "softmax",
  summary: "y[i] = exp(x[i] - m) / sum_j exp(x[j] - m), m = max x, along axis",
  operands: ["x"],
  attributes: { axis: attribute.int },
  fusion: "reduction",
  type({ x }, { axis }, check) {
    axisType(x, axis, "softmax", check);
    return [x];
  },
  evaluate({ x }, { axis }) {
    const out = tensor(x.element, x.shape);
    lines(x.shape, axis, x.shape[axis]!, (start, _, stride) => {
      const n = x.shape[axis]!;
      let m = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < n; i++) m = Math.max(m, x.data[start + i * stride]!);
      let total = 0;
      for (let i = 0; i < n; i++)
        total += out.data[start + i * stride] = Math.exp(x.data[start + i * stride]! - m);
      for (let i = 0; i < n; i++) out.data[start + i * stride]! /= total;
    });
    return [out];
  },
  // x - m rounds by up to |x - m| u, which exp turns into that relative error; the sum of n positive terms adds sqrt(n).
  rounding({ x }, [y], { axis }, { ulps }) {
    const out = new Float64Array(count(x.shape));
    lines(x.shape, axis, x.shape[axis]!, (start, _, stride) => {
      const n = x.shape[axis]!;
      let m = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < n; i++) m = Math.max(m, x.data[start + i * stride]!);
      for (let i = 0; i < n; i++) {
        const at = start + i * stride;
        out[at] = y!.data[at]! * (Math.min(m - x.data[at]!, 100) + ulps("exp") + ulps("div") + Math.sqrt(n));
      }
    });
    return [out];
  },
});
