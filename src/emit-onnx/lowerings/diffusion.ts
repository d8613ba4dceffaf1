// The sampler update and the nearest embedding.
import { dim } from "../../ir/dim.js";
import { type Tensor, tensor } from "../../ir/tensor.js";
import { attr } from "../attributes.js";
import type { GraphBuilder } from "../graph-builder.js";
import type { OnnxLowerings } from "../lowering.js";
import { add, mul, reduce, reshape, scalar, split } from "../nodes.js";
import type { OnnxValue } from "../value.js";
import { rowsTimesTransposed } from "./matmul.js";

/** -|row|^2 / 2 of a table [V, d]; folded here when the table is constant. */
function minusHalfSquares(b: GraphBuilder, table: OnnxValue): OnnxValue {
  const { constant, type } = table;
  if (constant === undefined) {
    return mul(b, reduce(b, "ReduceSumSquare", table, 1, false), scalar(b, -0.5, type.element));
  }
  const shape = [type.shape[0]!];
  return b.constant("row_norms", { element: type.element, shape }, { read: () => halves(constant.read()) });
}

function halves(table: Tensor): Tensor {
  const [rows, width] = table.shape as [number, number];
  const out = tensor("f32", [rows]);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < width; c++) out.data[r]! -= table.data[r * width + c]! ** 2 / 2;
  return out;
}

export const diffusion = {
  affine_step({ x0, x, noise, coefficients, x0_prev }, _, b) {
    // Those of positions are columns [L, 1], which broadcast to [B, L, d].
    const axis = coefficients.type.shape.length - 1;
    const [a, bx, c, s] = split(b, coefficients, axis, [1, 1, 1, 1]) as [
      OnnxValue,
      OnnxValue,
      OnnxValue,
      OnnxValue,
    ];
    const kept = add(b, mul(b, x0, a), mul(b, x, bx));
    const history = x0_prev === undefined ? kept : add(b, kept, mul(b, x0_prev, c));
    return add(b, history, mul(b, noise, s));
  },
  // argmin |x - e|^2 = argmax x.e - |e|^2 / 2
  nearest_row({ x, table }, _, b) {
    const scores = rowsTimesTransposed(b, x, table, minusHalfSquares(b, table));
    const lead = x.type.shape.slice(0, -1);
    const flat = reshape(b, scores, [
      dim(1).times(lead.reduce((p, d) => p.times(d), dim(1))),
      table.type.shape[0]!,
    ]);
    const attributes = { axis: attr.int(1), keepdims: attr.int(0), select_last_index: attr.int(0) };
    const best = b.node("ArgMax", [flat], { element: "int64", shape: [flat.type.shape[0]!] }, attributes);
    return reshape(b, best, lead);
  },
} satisfies OnnxLowerings;
