// Rules of ops that only move numbers as a whole: reshape, transpose, broadcast, reverse; and of reductions of
// a single number.

import type { Op, Value } from "../../ir/graph.js";
import type { OpName } from "../../ir/ops/index.js";
import { type Rewriter, type Rule, rule } from "../../ir/rewrite.js";
import { sameShape } from "../../ir/type.js";

/** The op that makes `value` when it has that name. */
export function madeBy(b: Rewriter, value: Value, name: OpName): Op | undefined {
  const op = b.producer(value);
  return op?.name === name ? op : undefined;
}

/** sum, mean or max of one number is that number. */
const reduceOne = <N extends "reduce_sum" | "reduce_mean" | "reduce_max">(name: N): Rule =>
  rule<"reduce_sum">(name as "reduce_sum", ({ x }, { axis }, b, { results: [y] }) =>
    x.type.shape[axis]!.value === 1 ? [b.emit("reshape", { x }, { shape: y!.type.shape })] : undefined,
  );

export const viewRules: readonly Rule[] = [
  // a reshape to the same shape is x
  rule("reshape", ({ x }, { shape }) => (sameShape(x.type.shape, shape) ? [x] : undefined)),
  // reshape(reshape(x)) = reshape(x)
  rule("reshape", ({ x }, { shape }, b) => {
    const inner = madeBy(b, x, "reshape");
    return inner && [b.emit("reshape", { x: inner.operands[0]! }, { shape })];
  }),
  // the identity permutation is x
  rule("transpose", ({ x }, { permutation }) =>
    permutation.every((axis, i) => axis === i) ? [x] : undefined,
  ),
  // transpose(transpose(x, p), q) = transpose(x, p[q])
  rule("transpose", ({ x }, { permutation }, b) => {
    const inner = madeBy(b, x, "transpose");
    if (inner === undefined) return undefined;
    const first = inner.attributes.permutation as readonly number[];
    return [
      b.emit(
        "transpose",
        { x: inner.operands[0]! },
        { permutation: permutation.map((axis) => first[axis]!) },
      ),
    ];
  }),
  // a transpose that moves only axes of extent 1 is a reshape
  rule("transpose", ({ x }, { permutation }, b, { results: [y] }) => {
    const long = permutation.filter((axis) => x.type.shape[axis]!.value !== 1);
    const inOrder = long.every((axis, i) => i === 0 || long[i - 1]! < axis);
    return inOrder ? [b.emit("reshape", { x }, { shape: y!.type.shape })] : undefined;
  }),
  // a broadcast to the same shape is x
  rule("broadcast", ({ x }, { shape }) => (sameShape(x.type.shape, shape) ? [x] : undefined)),
  // broadcast(broadcast(x)) = broadcast(x)
  rule("broadcast", ({ x }, { shape }, b) => {
    const inner = madeBy(b, x, "broadcast");
    return inner && [b.emit("broadcast", { x: inner.operands[0]! }, { shape })];
  }),
  // reverse(reverse(x)) = x;  one number reversed is itself
  rule("reverse", ({ x }, { axis }, b) => {
    if (x.type.shape[axis]!.value === 1) return [x];
    const inner = madeBy(b, x, "reverse");
    return inner?.attributes.axis === axis ? [inner.operands[0]!] : undefined;
  }),
  reduceOne("reduce_sum"),
  reduceOne("reduce_mean"),
  reduceOne("reduce_max"),
];
