// Tensors of the float64 reference: row-major, every element type held in a Float64Array.
// `bool` is 0 or 1; `i32` holds integers; `c64` interleaves (re, im), so `data` is twice the element count.

/** Element types of IR values. `c64` is a pair of f32. */
export type Element = "f32" | "f16" | "c64" | "i32" | "bool";

/** A concrete array. `shape` counts elements (a c64 scalar has shape [] and two numbers in `data`). */
export interface Tensor {
  readonly element: Element;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Number of elements of a shape. */
export function count(shape: readonly number[]): number {
  let n = 1;
  for (const extent of shape) n *= extent;
  return n;
}

/** Numbers stored per element. */
export function numbersPer(element: Element): 1 | 2 {
  return element === "c64" ? 2 : 1;
}

export function tensor(element: Element, shape: readonly number[], data?: Float64Array): Tensor {
  const size = count(shape) * numbersPer(element);
  const values = data ?? new Float64Array(size);
  if (values.length !== size)
    throw new RangeError(`tensor of shape [${shape}] holds ${size} numbers, got ${values.length}`);
  return { element, shape, data: values };
}

/** Row-major strides in elements. */
export function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result[axis] = stride;
    stride *= shape[axis]!;
  }
  return result;
}
