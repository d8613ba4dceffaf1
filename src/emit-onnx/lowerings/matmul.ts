// Matrix products. The weight file keeps the checkpoint's [out, in] for every back end: with a bias, Gemm takes it as
// it is (transB) and fuses the bias; without one, MatMul takes a Transpose that the runtime folds when it loads.
import { dim, product } from "../../ir/dim.js";
import { attr } from "../attributes.js";
import type { GraphBuilder } from "../graph-builder.js";
import type { OnnxLowerings } from "../lowering.js";
import { add, matmul, reshape, transpose } from "../nodes.js";
import type { OnnxValue } from "../value.js";

/** y = x weight^T + bias over the last axis of x, for a constant weight. */
export function rowsTimesTransposed(
  b: GraphBuilder,
  x: OnnxValue,
  weight: OnnxValue,
  bias: OnnxValue | undefined,
): OnnxValue {
  const lead = x.type.shape.slice(0, -1);
  // Gemm works on rows; reshaping its result would be a copy where the result leaves the graph (logits).
  if (bias === undefined && lead.length > 1) return matmul(b, x, swapped(b, weight));
  const [out, width] = [weight.type.shape[0]!, weight.type.shape[1]!];
  const rows = lead.length === 1 ? x : reshape(b, x, [product(lead), width]);
  const type = { element: x.type.element, shape: [rows.type.shape[0] ?? dim(1), out] };
  const inputs = bias === undefined ? [rows, weight] : [rows, weight, bias];
  const y = b.node("Gemm", inputs, type, { transB: attr.int(1) });
  return lead.length === 1 ? y : reshape(b, y, [...lead, out]);
}

const swapped = (b: GraphBuilder, x: OnnxValue): OnnxValue => {
  const rank = x.type.shape.length;
  const permutation = Array.from({ length: rank }, (_, axis) => axis);
  [permutation[rank - 2], permutation[rank - 1]] = [rank - 1, rank - 2];
  return transpose(b, x, permutation);
};

export const products = {
  matmul: ({ a, b: second }, { transpose_b }, b) => matmul(b, a, transpose_b ? swapped(b, second) : second),
  linear({ x, weight, bias }, _, b) {
    if (weight.constant !== undefined) return rowsTimesTransposed(b, x, weight, bias);
    const rows = x.type.shape.length === 1 ? reshape(b, x, [dim(1), x.type.shape[0]!]) : x;
    const y = matmul(b, rows, swapped(b, weight));
    const shaped = x.type.shape.length === 1 ? reshape(b, y, [weight.type.shape[0]!]) : y;
    return bias === undefined ? shaped : add(b, shaped, bias);
  },
} satisfies OnnxLowerings;
