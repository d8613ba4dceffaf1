// Layout changes between a checkpoint's tensors and the canonical ones, as data (schema/weights.schema.json,
// Transform). All are exact: they move elements, or put zeros behind
// them, and compute nothing. Row-major throughout.

import { count, strides } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";

export type Transform =
  /** Output axis k is input axis axes[k]; [1, 0] by default. */
  | { readonly kind: "transpose"; readonly axes?: readonly number[] }
  /** The same elements in row-major order; one extent may be -1. */
  | { readonly kind: "reshape"; readonly shape: readonly number[] }
  /** Drops axes of extent 1. */
  | { readonly kind: "squeeze"; readonly axes: readonly number[] }
  /** Elements start <= i < stop of one axis (0 by default). */
  | { readonly kind: "slice"; readonly axis?: number; readonly start: number; readonly stop: number }
  /** Zeros behind the elements of one axis (0 by default), until there are `to`. */
  | { readonly kind: "pad"; readonly axis?: number; readonly to: number }
  /** Joins all tensors along one axis (0 by default). */
  | { readonly kind: "concat"; readonly axis?: number };

/** A shape and its elements in row-major order. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The shape after all transforms, or which transform cannot be done and why. */
export type PlannedShape =
  | { readonly shape: readonly number[] }
  | { readonly problem: string; readonly index: number };

/** Follows shapes through the transforms without touching data. `shapes` are those of `from`. */
export function planTransforms(
  shapes: readonly (readonly number[])[],
  transforms: readonly Transform[],
): PlannedShape {
  if (shapes.length > 1 && transforms[0]?.kind !== "concat")
    return { problem: `${shapes.length} tensors need \`concat\` as their first transform`, index: 0 };
  let current = shapes;
  for (const [index, transform] of transforms.entries()) {
    const next = shapeAfter(transform, current);
    if (typeof next === "string") return { problem: next, index };
    current = [next];
  }
  return { shape: current[0]! };
}

/** Applies transforms that `planTransforms` accepted. */
export function applyTransforms(tensors: readonly Values[], transforms: readonly Transform[]): Values {
  let current = tensors;
  for (const transform of transforms) {
    const shapes = current.map((tensor) => tensor.shape);
    const shape = shapeAfter(transform, shapes);
    if (typeof shape === "string") bug(`transform was not planned: ${shape}`);
    current = [{ shape, data: move(transform, current, shape) }];
  }
  return current[0]!;
}

/** The output shape, or the reason why there is none. */
function shapeAfter(
  transform: Transform,
  shapes: readonly (readonly number[])[],
): readonly number[] | string {
  const shape = shapes[0]!;
  const rank = shape.length;
  const text = `[${shape.join(", ")}]`;
  switch (transform.kind) {
    case "transpose": {
      const axes = transform.axes ?? [1, 0];
      const permutes =
        axes.length === rank && axes.every((axis) => axis < rank) && new Set(axes).size === rank;
      if (!permutes) return `axes [${axes.join(", ")}] do not name each of the ${rank} axes of ${text} once`;
      return axes.map((axis) => shape[axis]!);
    }
    case "reshape":
      return reshaped(shape, transform.shape);
    case "squeeze": {
      const bad = transform.axes.find((axis) => shape[axis] !== 1);
      if (bad !== undefined)
        return bad < rank
          ? `axis ${bad} of ${text} has extent ${shape[bad]}, only extent 1 can be dropped`
          : `${text} has no axis ${bad}`;
      return shape.filter((_, axis) => !transform.axes.includes(axis));
    }
    case "slice": {
      const { axis = 0, start, stop } = transform;
      if (axis >= rank) return `${text} has no axis ${axis}`;
      if (start >= stop || stop > shape[axis]!)
        return `elements ${start} to ${stop} are not a part of axis ${axis} of ${text}`;
      return shape.with(axis, stop - start);
    }
    case "pad": {
      const { axis = 0, to } = transform;
      if (axis >= rank) return `${text} has no axis ${axis}`;
      if (to < shape[axis]!) return `axis ${axis} of ${text} has more than ${to} elements already`;
      return shape.with(axis, to);
    }
    case "concat": {
      const { axis = 0 } = transform;
      if (axis >= rank) return `${text} has no axis ${axis}`;
      const odd = shapes.find(
        (other) => other.length !== rank || other.some((n, k) => k !== axis && n !== shape[k]),
      );
      if (odd !== undefined) return `${text} and [${odd.join(", ")}] differ in another axis than ${axis}`;
      return shape.with(
        axis,
        shapes.reduce((sum, other) => sum + other[axis]!, 0),
      );
    }
  }
}

function reshaped(shape: readonly number[], wanted: readonly number[]): readonly number[] | string {
  const elements = count(shape);
  const free = wanted.indexOf(-1);
  const mismatch = `[${shape.join(", ")}] has ${elements} elements, [${wanted.join(", ")}] has not`;
  if (free < 0) return count(wanted) === elements ? wanted : mismatch;
  const rest = count(wanted.with(free, 1));
  if (wanted.indexOf(-1, free + 1) >= 0 || rest <= 0 || elements % rest !== 0) return mismatch;
  return wanted.with(free, elements / rest);
}

function move(transform: Transform, tensors: readonly Values[], shape: readonly number[]): Float64Array {
  const { data, shape: from } = tensors[0]!;
  switch (transform.kind) {
    case "reshape":
    case "squeeze":
      return data;
    case "transpose":
      return transpose(data, from, transform.axes ?? [1, 0], shape);
    case "slice": {
      const { axis = 0, start, stop } = transform;
      return joinLines([lines(data, from, axis, start, stop)], count(shape));
    }
    case "pad": {
      const { axis = 0, to } = transform;
      const stored = lines(data, from, axis, 0, from[axis]!);
      const zeros = new Float64Array((to - from[axis]!) * count(from.slice(axis + 1)));
      return joinLines([stored, stored.map(() => zeros)], count(shape));
    }
    case "concat": {
      const { axis = 0 } = transform;
      const parts = tensors.map((t) => lines(t.data, t.shape, axis, 0, t.shape[axis]!));
      return joinLines(parts, count(shape));
    }
  }
}

function transpose(
  data: Float64Array,
  from: readonly number[],
  axes: readonly number[],
  shape: readonly number[],
): Float64Array {
  const inputStrides = strides(from);
  const step = axes.map((axis) => inputStrides[axis]!);
  const result = new Float64Array(data.length);
  const position = new Array<number>(shape.length).fill(0);
  let source = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = data[source]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += step[axis]!;
      if (++position[axis]! < shape[axis]!) break;
      source -= step[axis]! * shape[axis]!;
      position[axis] = 0;
    }
  }
  return result;
}

/** For each index of the axes before `axis`: the contiguous elements start <= i < stop of `axis`. */
function lines(
  data: Float64Array,
  shape: readonly number[],
  axis: number,
  start: number,
  stop: number,
): Float64Array[] {
  const inner = count(shape.slice(axis + 1));
  const outer = count(shape.slice(0, axis));
  const line = inner * shape[axis]!;
  return Array.from({ length: outer }, (_, i) =>
    data.subarray(i * line + start * inner, i * line + stop * inner),
  );
}

/** Line 0 of every part, then line 1 of every part, ... */
function joinLines(parts: readonly (readonly Float64Array[])[], size: number): Float64Array {
  const result = new Float64Array(size);
  let end = 0;
  for (const [i] of parts[0]!.entries())
    for (const part of parts) {
      result.set(part[i]!, end);
      end += part[i]!.length;
    }
  return result;
}
