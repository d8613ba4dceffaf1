// The loops the float64 reference is written with. Readable first; the two inner loops that dominate real
// models (matmul, same-shape elementwise) are arranged so that V8 runs them at about 1 GFLOP/s.

import { count, type Element, strides, type Tensor, tensor } from "./tensor.js";

/** y[i] = f(x[i]). */
export function map(x: Tensor, f: (x: number) => number, element: Element = x.element): Tensor {
  const out = new Float64Array(x.data.length);
  for (let i = 0; i < out.length; i++) out[i] = f(x.data[i]!);
  return { element, shape: x.shape, data: out };
}

/** The concrete shape two concrete shapes broadcast to. */
export function broadcastSizes(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    return x === 1 ? y : x;
  });
}

/** Strides of `shape` seen as `target` (aligned at the last axis): 0 along broadcast axes. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const own = strides(shape);
  const shift = target.length - shape.length;
  return target.map((_, axis) => (axis < shift || shape[axis - shift] === 1 ? 0 : own[axis - shift]!));
}

/** Calls `visit(flat index, offset per operand)` for every element of `shape` in row-major order. */
export function walk(
  shape: readonly number[],
  operandStrides: readonly (readonly number[])[],
  visit: (i: number, offsets: number[]) => void,
): void {
  const total = count(shape);
  const index = new Array<number>(shape.length).fill(0);
  const offsets = new Array<number>(operandStrides.length).fill(0);
  for (let i = 0; i < total; i++) {
    visit(i, offsets);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      for (let k = 0; k < offsets.length; k++) offsets[k]! += operandStrides[k]![axis]!;
      if (index[axis]! < shape[axis]!) break;
      for (let k = 0; k < offsets.length; k++) offsets[k]! -= operandStrides[k]![axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}

/** y = f(a, b) with broadcasting. */
export function map2(
  a: Tensor,
  b: Tensor,
  f: (a: number, b: number) => number,
  element: Element = a.element,
): Tensor {
  const shape = broadcastSizes(a.shape, b.shape);
  const out = tensor(element, shape);
  const x = a.data;
  const y = b.data;
  const z = out.data;
  if (x.length === z.length && y.length === z.length)
    for (let i = 0; i < z.length; i++) z[i] = f(x[i]!, y[i]!);
  else if (x.length === z.length && isSuffix(b.shape, shape))
    for (let i = 0, j = 0; i < z.length; i++, j = j + 1 === y.length ? 0 : j + 1) z[i] = f(x[i]!, y[j]!);
  else {
    walk(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)], (i, o) => {
      z[i] = f(x[o[0]!]!, y[o[1]!]!);
    });
  }
  return out;
}

function isSuffix(shape: readonly number[], of: readonly number[]): boolean {
  return shape.every((extent, i) => extent === of[of.length - shape.length + i]);
}

/** The tensor repeated to a larger shape. */
export function broadcastTo(x: Tensor, shape: readonly number[]): Tensor {
  const out = tensor(x.element, shape);
  walk(shape, [broadcastStrides(x.shape, shape)], (i, o) => {
    out.data[i] = x.data[o[0]!]!;
  });
  return out;
}

/**
 * Calls `visit(inStart, outStart, stride)` for every line of `x` along `axis`; an output whose extent on that
 * axis is `extent` has the same lines. Offsets and strides are in elements.
 */
export function lines(
  shape: readonly number[],
  axis: number,
  extent: number,
  visit: (inStart: number, outStart: number, stride: number) => void,
): void {
  const inner = count(shape.slice(axis + 1));
  const outer = count(shape.slice(0, axis));
  const length = shape[axis]!;
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) visit(o * length * inner + i, o * extent * inner + i, inner);
}

/** out[m, n] += sum_k a[m, k] b[k, n] on row-major blocks at the given offsets. */
export function gemm(
  a: Float64Array,
  ao: number,
  b: Float64Array,
  bo: number,
  out: Float64Array,
  oo: number,
  m: number,
  k: number,
  n: number,
): void {
  for (let i = 0; i < m; i++) {
    const row = oo + i * n;
    let p = 0;
    // Four rows of b at a time: one load and store of `out` for four products.
    for (; p + 3 < k; p += 4) {
      const at = ao + i * k + p;
      const a0 = a[at]!;
      const a1 = a[at + 1]!;
      const a2 = a[at + 2]!;
      const a3 = a[at + 3]!;
      const b0 = bo + p * n;
      const b1 = b0 + n;
      const b2 = b1 + n;
      const b3 = b2 + n;
      for (let j = 0; j < n; j++)
        out[row + j]! += a0 * b[b0 + j]! + a1 * b[b1 + j]! + a2 * b[b2 + j]! + a3 * b[b3 + j]!;
    }
    for (; p < k; p++) {
      const factor = a[ao + i * k + p]!;
      const from = bo + p * n;
      for (let j = 0; j < n; j++) out[row + j]! += factor * b[from + j]!;
    }
  }
}

/** The same with b[n, k]: out[m, n] += sum_k a[m, k] b[n, k], summed in the same order. */
export function gemmTransposed(
  a: Float64Array,
  ao: number,
  b: Float64Array,
  bo: number,
  out: Float64Array,
  oo: number,
  m: number,
  k: number,
  n: number,
): void {
  for (let i = 0; i < m; i++) {
    const from = ao + i * k;
    const row = oo + i * n;
    for (let j = 0, at = bo; j < n; j++, at += k) {
      let sum = out[row + j]!;
      let p = 0;
      for (; p + 3 < k; p += 4)
        sum +=
          a[from + p]! * b[at + p]! +
          a[from + p + 1]! * b[at + p + 1]! +
          a[from + p + 2]! * b[at + p + 2]! +
          a[from + p + 3]! * b[at + p + 3]!;
      for (; p < k; p++) sum += a[from + p]! * b[at + p]!;
      out[row + j] = sum;
    }
  }
}

/** Batched matrix product of the last two axes; leading axes broadcast. `transposed`: b is [.., n, k]. */
export function matmul(a: Tensor, b: Tensor, transposed = false): Tensor {
  const m = a.shape[a.shape.length - 2]!;
  const k = a.shape[a.shape.length - 1]!;
  const n = b.shape[b.shape.length - (transposed ? 2 : 1)]!;
  const product = transposed ? gemmTransposed : gemm;
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = broadcastSizes(batchA, batchB);
  const out = tensor(a.element, [...batch, m, n]);
  if (count(batchB) === 1 && batchA.length >= batchB.length) {
    product(a.data, 0, b.data, 0, out.data, 0, m * count(batchA), k, n);
    return out;
  }
  walk(batch, [broadcastStrides(batchA, batch), broadcastStrides(batchB, batch)], (i, o) => {
    product(a.data, o[0]! * m * k, b.data, o[1]! * k * n, out.data, i * m * n, m, k, n);
  });
  return out;
}
