// Self-conditioning: how the previous prediction enters the network beside the state.

import type { SelfConditioning } from "../description/index.js";
import type { Value } from "../ir/graph.js";
import type { GraphContext, Scope } from "./context.js";
import { lastExtent, linear } from "./layers.js";

/** residual_concat_linear: x + W [x; x0]; concat_linear: W [x; x0]; add: x + W x0 (Chen et al. 2023). */
export function selfCondition(
  c: GraphContext,
  { combine, bias }: SelfConditioning,
  x: Value,
  previous: Value,
): Value {
  const scope: Scope = { name: "self_conditioning.", pointer: "/self_conditioning" };
  const { b } = c;
  return b.at(scope.pointer, () => {
    const input = combine === "add" ? previous : b.emit("concat", { xs: [x, previous] }, { axis: 2 });
    const y = linear(c, scope, input, lastExtent(x), bias);
    return combine === "concat_linear" ? y : b.emit("add", { a: x, b: y }, {}, "self_conditioned");
  });
}
