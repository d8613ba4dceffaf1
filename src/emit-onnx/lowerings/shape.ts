// Ops that move numbers without computing.
import { dim } from "../../ir/dim.js";
import { attr } from "../attributes.js";
import type { OnnxLowerings } from "../lowering.js";
import { concat, expand, extentNumber, reshape, slice, transpose } from "../nodes.js";

export const shapes = {
  reshape: ({ x }, { shape }, b, { operandTypes }) =>
    reshape(b, x, operandTypes[0]?.element === "c64" ? [...shape, dim(2)] : shape),
  transpose: ({ x }, { permutation }, b, { operandTypes }) =>
    transpose(b, x, operandTypes[0]?.element === "c64" ? [...permutation, permutation.length] : permutation),
  broadcast: ({ x }, { shape }, b) => expand(b, x, shape),
  slice: ({ x }, { axis, start, length }, b) => slice(b, x, axis, extentNumber(start), extentNumber(length)),
  concat: ({ xs }, { axis }, b) => concat(b, xs, axis),
  pad({ x }, { axis, before, after }, b) {
    const [first, last] = [extentNumber(before), extentNumber(after)];
    if (first === 0 && last === 0) return x;
    const rank = x.type.shape.length;
    const pads = new Array<number>(2 * rank).fill(0);
    pads[axis] = first;
    pads[rank + axis] = last;
    const shape = x.type.shape.map((d, i) => (i === axis ? d.plus(first + last) : d));
    return b.node("Pad", [x, b.integers(pads)], { element: x.type.element, shape });
  },
  reverse({ x }, { axis }, b) {
    const n = extentNumber(x.type.shape[axis]!);
    return slice(b, x, axis, n - 1, n, -1);
  },
  take({ table, indices }, _, b) {
    const shape = [...indices.type.shape, ...table.type.shape.slice(1)];
    return b.node("Gather", [table, indices], { element: table.type.element, shape }, { axis: attr.int(0) });
  },
} satisfies OnnxLowerings;
