// ONNX nodes as functions of typed values: each works out its result type, so that lowerings read as formulas.
// Shapes are symbolic; nodes that would do nothing are not made.
import { type Dim, dim, product } from "../ir/dim.js";
import { broadcastShapes } from "../ir/type.js";
import { bug } from "../support/diagnostic.js";
import { attr, type OnnxAttribute } from "./attributes.js";
import type { GraphBuilder } from "./graph-builder.js";
import type { OnnxElement } from "./proto/messages.js";
import type { OnnxValue } from "./value.js";

type Attributes = Readonly<Record<string, OnnxAttribute>>;

const sameDims = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((extent, axis) => extent.equals(b[axis]!));

/** The number of an extent that must be known when a file is written (everything but the batch). */
export function extentNumber(extent: Dim): number {
  return extent.value ?? bug(`extent ${extent} must be known when ONNX is emitted`);
}

/** A number as a scalar constant. */
export function scalar(b: GraphBuilder, value: number, element: OnnxElement = "float"): OnnxValue {
  return b.memoized(`scalar ${element} ${value}`, () =>
    b.literal(element, [], [value], `${element}_${value}`),
  );
}

/** One result per element of x. */
export function unary(b: GraphBuilder, op: string, x: OnnxValue, attributes: Attributes = {}): OnnxValue {
  return b.node(op, [x], x.type, attributes);
}

/** Broadcasting arithmetic. */
export function binary(b: GraphBuilder, op: string, x: OnnxValue, y: OnnxValue): OnnxValue {
  return b.node(op, [x, y], { element: x.type.element, shape: joined(x, y) });
}

/** Broadcasting comparison or logic; the result is bool. */
export function compare(b: GraphBuilder, op: string, x: OnnxValue, y: OnnxValue): OnnxValue {
  return b.node(op, [x, y], { element: "bool", shape: joined(x, y) });
}

export const add = (b: GraphBuilder, x: OnnxValue, y: OnnxValue): OnnxValue => binary(b, "Add", x, y);
export const sub = (b: GraphBuilder, x: OnnxValue, y: OnnxValue): OnnxValue => binary(b, "Sub", x, y);
export const mul = (b: GraphBuilder, x: OnnxValue, y: OnnxValue): OnnxValue => binary(b, "Mul", x, y);
export const div = (b: GraphBuilder, x: OnnxValue, y: OnnxValue): OnnxValue => binary(b, "Div", x, y);

export function where(b: GraphBuilder, condition: OnnxValue, x: OnnxValue, y: OnnxValue): OnnxValue {
  const shape = broadcastShapes(condition.type.shape, joined(x, y)) ?? bug("where does not broadcast");
  return b.node("Where", [condition, x, y], { element: x.type.element, shape });
}

export function cast(b: GraphBuilder, x: OnnxValue, element: OnnxElement, number: number): OnnxValue {
  if (x.type.element === element) return x;
  return b.node("Cast", [x], { element, shape: x.type.shape }, { to: attr.int(number) });
}

function joined(x: OnnxValue, y: OnnxValue): readonly Dim[] {
  return broadcastShapes(x.type.shape, y.type.shape) ?? bug(`${x.name} and ${y.name} do not broadcast`);
}

/** x [.., m, k] times y [.., k, n]; leading axes broadcast. */
export function matmul(b: GraphBuilder, x: OnnxValue, y: OnnxValue): OnnxValue {
  const batch =
    broadcastShapes(x.type.shape.slice(0, -2), y.type.shape.slice(0, -2)) ?? bug("matmul does not broadcast");
  const shape = [...batch, x.type.shape.at(-2)!, y.type.shape.at(-1)!];
  return b.node("MatMul", [x, y], { element: x.type.element, shape });
}

/** The same elements under another shape; reshapes of reshapes become one. At most one extent may be symbolic. */
export function reshape(b: GraphBuilder, x: OnnxValue, shape: readonly (Dim | number)[]): OnnxValue {
  const wanted = shape.map(dim);
  if (!product(x.type.shape).equals(product(wanted))) bug(`reshape of ${x.name} changes its size`);
  const source = b.reshapedFrom.get(x) ?? x;
  if (sameDims(source.type.shape, wanted)) return source;
  const symbolic = wanted.filter((extent) => extent.value === undefined);
  if (symbolic.length > 1) bug(`a reshape has two unknown extents: ${wanted.join(", ")}`);
  return b.viewOf(source, `reshape ${wanted.map((extent) => extent.key).join()}`, () => {
    const target = b.integers(wanted.map((extent) => extent.value ?? -1));
    const result = b.node("Reshape", [source, target], { element: x.type.element, shape: wanted });
    b.reshapedFrom.set(result, source);
    return result;
  });
}

/** Axis i of the result is axis permutation[i] of x; where only extents of 1 move, a Reshape. */
export function transpose(b: GraphBuilder, x: OnnxValue, permutation: readonly number[]): OnnxValue {
  const shape = permutation.map((axis) => x.type.shape[axis]!);
  const moved = permutation.filter((axis) => x.type.shape[axis]!.value !== 1);
  const inOrder = moved.every((axis, i) => i === 0 || moved[i - 1]! < axis);
  const symbols = shape.filter((extent) => extent.value === undefined).length;
  if (inOrder && symbols <= 1) return reshape(b, x, shape);
  return b.viewOf(x, `transpose ${permutation}`, () =>
    b.node("Transpose", [x], { element: x.type.element, shape }, { perm: attr.ints(permutation) }),
  );
}

/** x[start .. start+length) along axis; a negative step walks backwards from start. */
export function slice(
  b: GraphBuilder,
  x: OnnxValue,
  axis: number,
  start: number,
  length: number,
  step: 1 | -1 = 1,
): OnnxValue {
  const extent = x.type.shape[axis]!;
  if (step === 1 && start === 0 && extent.value === length) return x;
  const shape = x.type.shape.map((d, i) => (i === axis ? dim(length) : d));
  // Going backwards to index 0 needs an end before it: -(extent + 1) clamps to one before the first element.
  const end =
    step === 1 ? start + length : start - length >= 0 ? start - length : -(extentNumber(extent) + 1);
  const inputs = [x, b.integers([start]), b.integers([end]), b.integers([axis])];
  if (step === -1) inputs.push(b.integers([step]));
  return b.node("Slice", inputs, { element: x.type.element, shape });
}

/** x cut into parts of the given lengths along axis. */
export function split(
  b: GraphBuilder,
  x: OnnxValue,
  axis: number,
  lengths: readonly number[],
): readonly OnnxValue[] {
  if (lengths.length === 1) return [x];
  const types = lengths.map((length) => ({
    element: x.type.element,
    shape: x.type.shape.map((d, i) => (i === axis ? dim(length) : d)),
  }));
  return b.nodeWithResults("Split", [x, b.integers(lengths)], types, { axis: attr.int(axis) });
}

export function concat(b: GraphBuilder, xs: readonly OnnxValue[], axis: number): OnnxValue {
  const [first] = xs;
  if (first === undefined) bug("concat of nothing");
  if (xs.length === 1) return first;
  const total = xs.reduce((sum, x) => sum.plus(x.type.shape[axis]!), dim(0));
  const shape = first.type.shape.map((d, i) => (i === axis ? total : d));
  return b.node("Concat", xs, { element: first.type.element, shape }, { axis: attr.int(axis) });
}

/** ReduceSum, ReduceMean, ReduceMax, ReduceL2, ReduceSumSquare over one axis. */
export function reduce(
  b: GraphBuilder,
  op: string,
  x: OnnxValue,
  axis: number,
  keepdims: boolean,
): OnnxValue {
  const shape = keepdims
    ? x.type.shape.map((d, i) => (i === axis ? dim(1) : d))
    : x.type.shape.filter((_, i) => i !== axis);
  const attributes = { keepdims: attr.int(keepdims ? 1 : 0) };
  return b.node(op, [x, b.integers([axis])], { element: x.type.element, shape }, attributes);
}

/** x repeated to `shape`; symbolic extents that x lacks are read off a graph input at run time. */
export function expand(b: GraphBuilder, x: OnnxValue, shape: readonly Dim[]): OnnxValue {
  if (sameDims(x.type.shape, shape)) return x;
  const own = (axis: number): Dim | undefined => x.type.shape[axis - (shape.length - x.type.shape.length)];
  const type = { element: x.type.element, shape };
  // ONNX's Expand broadcasts both ways, so an extent that x already has may be asked for as 1.
  const wanted = shape.map((extent, axis) => (own(axis)?.equals(extent) ? 1 : extent.value));
  if (wanted.every((n) => n !== undefined)) return b.node("Expand", [x, b.integers(wanted)], type);
  const parts = wanted.map((n, axis) => (n === undefined ? runtimeExtent(b, shape[axis]!) : b.integers([n])));
  return b.node("Expand", [x, concat(b, parts, 0)], type);
}

/** The int64[1] size of a symbolic extent. */
export function runtimeExtent(b: GraphBuilder, extent: Dim): OnnxValue {
  return b.memoized(`extent ${extent.key}`, () => {
    const found = b.inputWith(extent) ?? bug(`no graph input has the extent ${extent}`);
    const type = { element: "int64" as const, shape: [dim(1)] };
    return b.node("Shape", [found.value], type, {
      start: attr.int(found.axis),
      end: attr.int(found.axis + 1),
    });
  });
}
