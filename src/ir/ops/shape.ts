// The same numbers elsewhere: reshape, transpose, broadcast, slice, concat, pad, reverse.

import { type Dim, product } from "../dim.js";
import { broadcastTo, lines, walk } from "../loops.js";
import { attribute, type Check, defineOp, rounding } from "../op.js";
import { count, numbersPer, strides, tensor } from "../tensor.js";
import { broadcastShapes, sameShape, type TensorType, typeText, withExtent } from "../type.js";

function axisInRange(x: TensorType, axis: number, label: string, check: Check): boolean {
  const ok = Number.isInteger(axis) && axis >= 0 && axis < x.shape.length;
  check.that(ok, label, `axis ${axis} is out of range for rank ${x.shape.length}`);
  return ok;
}

function notComplex(x: TensorType, label: string, check: Check): void {
  check.that(x.element !== "c64", label, `x must not be complex, got ${typeText(x)}`);
}

export const reshape = defineOp({
  name: "reshape",
  summary: "the same elements in row-major order under another shape",
  operands: ["x"],
  attributes: { shape: attribute.dims },
  fusion: "view",
  type({ x }, { shape }, check) {
    const from = product(x.shape);
    const to = product(shape);
    check.that(
      from.equals(to),
      "reshape_c1",
      `${typeText(x)} holds ${from.key} elements, the new shape [${shape.join(", ")}] holds ${to.key}`,
    );
    return [{ element: x.element, shape }];
  },
  evaluate: ({ x }, { shape }, context) => [
    { element: x.element, shape: context.shape(shape), data: x.data },
  ],
  rounding: rounding.exact,
});

export const transpose = defineOp({
  name: "transpose",
  summary: "axis i of the result is axis permutation[i] of x",
  operands: ["x"],
  attributes: { permutation: attribute.ints },
  fusion: "view",
  type({ x }, { permutation }, check) {
    const sorted = [...permutation].sort((a, b) => a - b);
    const ok = permutation.length === x.shape.length && sorted.every((axis, i) => axis === i);
    check.that(
      ok,
      "transpose_c1",
      `permutation [${permutation.join(", ")}] does not permute the ${x.shape.length} axes of ${typeText(x)}`,
    );
    return [ok ? { element: x.element, shape: permutation.map((axis) => x.shape[axis]!) } : x];
  },
  evaluate({ x }, { permutation }) {
    const out = tensor(
      x.element,
      permutation.map((axis) => x.shape[axis]!),
    );
    const own = strides(x.shape);
    const per = numbersPer(x.element);
    walk(out.shape, [permutation.map((axis) => own[axis]!)], (i, o) => {
      for (let part = 0; part < per; part++) out.data[i * per + part] = x.data[o[0]! * per + part]!;
    });
    return [out];
  },
  rounding: rounding.exact,
});

export const broadcast = defineOp({
  name: "broadcast",
  summary: "x repeated to a larger shape; axes align at the last, extents equal or 1",
  operands: ["x"],
  attributes: { shape: attribute.dims },
  fusion: "view",
  type({ x }, { shape }, check) {
    notComplex(x, "broadcast_c2", check);
    const to = broadcastShapes(x.shape, shape);
    check.that(
      to !== undefined && sameShape(to, shape),
      "broadcast_c1",
      `${typeText(x)} does not broadcast to [${shape.join(", ")}]`,
    );
    return [{ element: x.element, shape }];
  },
  evaluate: ({ x }, { shape }, context) => [broadcastTo(x, context.shape(shape))],
  rounding: rounding.exact,
});

export const slice = defineOp({
  name: "slice",
  summary: "y[i] = x[start + i] along axis, i = 0 .. length-1",
  operands: ["x"],
  attributes: { axis: attribute.int, start: attribute.dim, length: attribute.dim },
  fusion: "view",
  type({ x }, { axis, start, length }, check) {
    notComplex(x, "slice_c3", check);
    if (!axisInRange(x, axis, "slice_c1", check)) return [x];
    const room = x.shape[axis]!.minus(start).minus(length);
    check.that(
      start.min >= 0 && room.min >= 0,
      "slice_c2",
      `slice [${start}, ${start.plus(length)}) leaves axis ${axis} of ${typeText(x)}`,
    );
    return [withExtent(x, axis, length)];
  },
  evaluate({ x }, { axis, start, length }, context) {
    const n = context.size(length);
    const first = context.size(start);
    const out = tensor(
      x.element,
      x.shape.map((extent, i) => (i === axis ? n : extent)),
    );
    lines(x.shape, axis, n, (from, to, stride) => {
      for (let i = 0; i < n; i++) out.data[to + i * stride] = x.data[from + (first + i) * stride]!;
    });
    return [out];
  },
  rounding: rounding.exact,
});

export const concat = defineOp({
  name: "concat",
  summary: "the operands one after the other along axis",
  operands: ["xs*"],
  attributes: { axis: attribute.int },
  fusion: "view",
  type({ xs }, { axis }, check) {
    const [first, ...rest] = xs;
    check.that(first !== undefined, "concat_c1", "concat needs at least one operand");
    if (first === undefined || !axisInRange(first, axis, "concat_c2", check))
      return [first ?? { element: "f32", shape: [] }];
    notComplex(first, "concat_c4", check);
    let total: Dim = first.shape[axis]!;
    for (const x of rest) {
      const fits =
        x.element === first.element &&
        sameShape(withExtent(x, axis, 1).shape, withExtent(first, axis, 1).shape);
      check.that(fits, "concat_c3", `${typeText(first)} and ${typeText(x)} differ outside axis ${axis}`);
      total = total.plus(x.shape[axis] ?? 0);
    }
    return [withExtent(first, axis, total)];
  },
  evaluate({ xs }, { axis }) {
    const total = xs.reduce((sum, x) => sum + x.shape[axis]!, 0);
    const out = tensor(
      xs[0]!.element,
      xs[0]!.shape.map((extent, i) => (i === axis ? total : extent)),
    );
    let before = 0;
    for (const x of xs) {
      lines(x.shape, axis, total, (from, to, stride) => {
        for (let i = 0; i < x.shape[axis]!; i++)
          out.data[to + (before + i) * stride] = x.data[from + i * stride]!;
      });
      before += x.shape[axis]!;
    }
    return [out];
  },
  rounding: rounding.exact,
});

export const pad = defineOp({
  name: "pad",
  summary: "zeros before and after x along axis",
  operands: ["x"],
  attributes: { axis: attribute.int, before: attribute.dim, after: attribute.dim },
  fusion: "view",
  type({ x }, { axis, before, after }, check) {
    notComplex(x, "pad_c3", check);
    if (!axisInRange(x, axis, "pad_c1", check)) return [x];
    check.that(
      before.min >= 0 && after.min >= 0,
      "pad_c2",
      `padding must not be negative, got ${before} before and ${after} after`,
    );
    return [withExtent(x, axis, x.shape[axis]!.plus(before).plus(after))];
  },
  evaluate({ x }, { axis, before, after }, context) {
    const first = context.size(before);
    const n = x.shape[axis]! + first + context.size(after);
    const out = tensor(
      x.element,
      x.shape.map((extent, i) => (i === axis ? n : extent)),
    );
    lines(x.shape, axis, n, (from, to, stride) => {
      for (let i = 0; i < x.shape[axis]!; i++)
        out.data[to + (first + i) * stride] = x.data[from + i * stride]!;
    });
    return [out];
  },
  rounding: rounding.exact,
});

export const reverse = defineOp({
  name: "reverse",
  summary: "y[i] = x[n-1-i] along axis",
  operands: ["x"],
  attributes: { axis: attribute.int },
  fusion: "view",
  type({ x }, { axis }, check) {
    notComplex(x, "reverse_c2", check);
    axisInRange(x, axis, "reverse_c1", check);
    return [x];
  },
  evaluate({ x }, { axis }) {
    const out = tensor(x.element, x.shape);
    const n = x.shape[axis]!;
    lines(x.shape, axis, n, (from, to, stride) => {
      for (let i = 0; i < n; i++) out.data[to + i * stride] = x.data[from + (n - 1 - i) * stride]!;
    });
    return [out];
  },
  rounding: rounding.exact,
});

export const take = defineOp({
  name: "take",
  summary: "y[i.., j..] = table[indices[i..], j..]: rows of table by index (embedding lookup)",
  operands: ["table", "indices"],
  attributes: {},
  fusion: "gather",
  type({ table, indices }, _, check) {
    check.that(indices.element === "i32", "take_c1", `indices must be i32, got ${typeText(indices)}`);
    check.that(
      table.shape.length >= 1 && table.element !== "c64",
      "take_c2",
      `table must have rows of real numbers, got ${typeText(table)}`,
    );
    return [{ element: table.element, shape: [...indices.shape, ...table.shape.slice(1)] }];
  },
  evaluate({ table, indices }) {
    const row = count(table.shape.slice(1));
    const out = tensor(table.element, [...indices.shape, ...table.shape.slice(1)]);
    for (let i = 0; i < indices.data.length; i++) {
      const index = indices.data[i]!;
      if (!(index >= 0 && index < table.shape[0]!))
        throw new RangeError(`index ${index} is outside a table of ${table.shape[0]} rows`);
      out.data.set(table.data.subarray(index * row, (index + 1) * row), i * row);
    }
    return [out];
  },
  rounding: rounding.exact,
});
