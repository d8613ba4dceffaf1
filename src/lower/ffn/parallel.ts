// Several networks of one input: sum_k norm_out_k(ffn_k(norm_in_k(x))).

import type { FeedForward, ParallelFeedForward } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { normalize } from "../layers.js";

export function lowerParallel(
  c: GraphContext,
  scope: Scope,
  x: Value,
  { branches }: ParallelFeedForward,
  lower: (c: GraphContext, scope: Scope, x: Value, ffn: FeedForward) => Value,
): Value {
  const outputs = branches.map((branch, k) => {
    const at = child(scope, `branches.${k}`, `/branches/${k}`);
    const read = normalize(c, child(at, "norm_in", "/norm_in"), x, branch.norm_in);
    const y = lower(c, { ...at, pointer: `${at.pointer}/ffn` }, read, branch.ffn);
    return normalize(c, child(at, "norm_out", "/norm_out"), y, branch.norm_out);
  });
  return c.b.at(scope.pointer, () => outputs.reduce((sum, y) => c.b.emit("add", { a: sum, b: y }, {})));
}
