// Types of IR values: an element and a list of extents.

import { Dim, dim } from "./dim.js";
import type { Element } from "./tensor.js";

export interface TensorType {
  readonly element: Element;
  readonly shape: readonly Dim[];
}

/** `type("f32", [batch, 16])` is f32[B, 16]. */
export function type(element: Element, shape: readonly (Dim | number)[]): TensorType {
  return { element, shape: shape.map(dim) };
}

export function typeText(t: TensorType): string {
  return `${t.element}[${t.shape.join(", ")}]`;
}

export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent.equals(b[axis]!));
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.element === b.element && sameShape(a.shape, b.shape);
}

/** The type with one extent replaced. */
export function withExtent(t: TensorType, axis: number, extent: Dim | number): TensorType {
  return { element: t.element, shape: t.shape.map((d, i) => (i === axis ? dim(extent) : d)) };
}

/**
 * The shape two operands broadcast to, aligned at the last axis as in NumPy and ONNX: extents are equal or one
 * of them is 1. `undefined` when they do not fit.
 */
export function broadcastShapes(a: readonly Dim[], b: readonly Dim[]): Dim[] | undefined {
  const rank = Math.max(a.length, b.length);
  const shape: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? Dim.of(1);
    const y = b[b.length - rank + i] ?? Dim.of(1);
    if (x.value === 1) shape.push(y);
    else if (y.value === 1 || x.equals(y)) shape.push(x);
    else return undefined;
  }
  return shape;
}
