// Which values of a graph are one row per noise level: computed from `level` and weights alone, by ops that treat the
// leading axis as rows. Such a value can be computed for many levels at once.

import type { Op, Value } from "../../ir/graph.js";
import { definitionOf } from "../../ir/ops/index.js";
import type { Constants } from "../constants/nodes.js";

/** Values that are rows, with `level` the first of them. */
export function rowValues(ops: readonly Op[], level: Value, constants: Constants): Set<Value> {
  const rows = new Set<Value>([level]);
  for (const op of ops) {
    if (!op.operands.some((v) => v !== undefined && rows.has(v)) || op.results.length !== 1) continue;
    const known = op.operands.every(
      (v) => v === undefined || rows.has(v) || constants.nodeOf(v) !== undefined,
    );
    if (known && isRowWise(op, rows)) rows.add(op.results[0]!);
  }
  return rows;
}

/** Whether row i of the result depends on row i of the row operands alone, and only the last axis may grow. */
function isRowWise(op: Op, rows: ReadonlySet<Value>): boolean {
  const [y] = op.results as [Value];
  const rank = y.type.shape.length;
  const leading = y.type.shape[0];
  const x = op.operands.find((v) => v !== undefined && rows.has(v))!;
  const extents = y.type.shape.slice(1);
  if (leading === undefined || extents.some((extent) => extent.value === undefined)) return false;
  const isFirst = op.operands[0] === x;
  const axis = op.attributes.axis as number;
  if (definitionOf(op.name)!.fusion === "elementwise" && op.name !== "affine_step") {
    const aligned = op.operands.every((v) => {
      if (v === undefined) return true;
      const own = v.type.shape;
      return rows.has(v) ? own.length === rank : own.length < rank || own[0]!.value === 1;
    });
    const grows = extents.slice(0, -1).some((extent, i) => !extent.equals(x.type.shape[i + 1] ?? extent));
    return aligned && !grows;
  }
  switch (op.name) {
    case "linear":
    case "layer_norm":
    case "rms_norm":
    case "l2_normalize":
      return isFirst && rank >= 2 && op.operands.slice(1).every((v) => v === undefined || !rows.has(v));
    case "matmul":
      return isFirst && rank === 2 && !rows.has(op.operands[1]!);
    case "softmax":
    case "reduce_sum":
    case "reduce_mean":
    case "reduce_max":
    case "argmax":
    case "top_mask":
    case "slice":
    case "pad":
    case "reverse":
      return axis !== 0;
    case "concat":
      return axis !== 0 && op.operands.every((v) => rows.has(v!));
    case "transpose":
      return (op.attributes.permutation as readonly number[])[0] === 0;
    case "reshape":
      return leading.equals(x.type.shape[0]!);
    case "broadcast":
      return (
        rank === x.type.shape.length && extents.every((extent, i) => extent.equals(x.type.shape[i + 1]!))
      );
    case "take":
      return !isFirst;
    default:
      return false;
  }
}
