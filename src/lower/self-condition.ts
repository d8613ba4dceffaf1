// Self-conditioning: how the previous prediction enters the network beside the state. y is of the same shape as x.

import type { SelfConditioning } from "../description/index.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { lowerLayers } from "./ffn/dense.js";
import { activate, lastExtent, linear, normalize } from "./layers.js";

const scope: Scope = { name: "self_conditioning.", pointer: "/self_conditioning" };

type Combine = (c: GraphContext, description: SelfConditioning, x: Value, previous: Value) => Value;

const sum = (c: GraphContext, a: Value, b: Value, hint?: string): Value =>
  c.b.emit("add", { a, b }, {}, hint);
const pair = (c: GraphContext, x: Value, previous: Value): Value =>
  c.b.emit("concat", { xs: [x, previous] }, { axis: 2 });

/** By the description's name; `none` has no previous prediction. */
const combinations: Readonly<Record<Exclude<SelfConditioning["combine"], "none">, Combine>> = {
  residual_concat_linear: (c, { bias }, x, previous) =>
    sum(c, x, linear(c, scope, pair(c, x, previous), lastExtent(x), bias), "self_conditioned"),
  concat_linear: (c, { bias }, x, previous) => linear(c, scope, pair(c, x, previous), lastExtent(x), bias),
  add: (c, { bias }, x, previous) =>
    sum(c, x, linear(c, scope, previous, lastExtent(x), bias), "self_conditioned"),
  concat_mlp(c, { bias, hidden, activation }, x, previous) {
    const h = linear(c, child(scope, "0"), pair(c, x, previous), hidden ?? lastExtent(x), bias);
    return linear(c, child(scope, "1"), activate(c, h, activation), lastExtent(x), bias);
  },
  gated_mlp(c, { bias, hidden, activation, eps }, x, previous) {
    const normed = normalize(c, child(scope, "norm"), previous, { kind: "rms", eps, affine: "weight" });
    const y = lowerLayers(c, scope, normed, {
      kind: "glu",
      hidden: hidden ?? lastExtent(x),
      activation,
      bias: { up: bias, down: bias },
      fused: false,
      structure: { kind: "dense" },
    });
    return normalize(c, scope, sum(c, x, y), { kind: "rms", eps, affine: "none" }, "self_conditioned");
  },
  concat: (c, _, x, previous) => pair(c, x, previous),
  sum: (c, _, x, previous) => sum(c, x, previous, "self_conditioned"),
  mean: (c, _, x, previous) =>
    c.b.emit("scale", { x: sum(c, x, previous) }, { factor: 0.5 }, "self_conditioned"),
  product: (c, _, x, previous) => c.b.emit("mul", { a: x, b: previous }, {}, "self_conditioned"),
  // max(x, y) = x + relu(y - x).
  max: (c, _, x, previous) =>
    sum(c, x, c.b.emit("relu", { x: c.b.emit("sub", { a: previous, b: x }, {}) }, {}), "self_conditioned"),
};

/** What a network that was not called before takes as its previous prediction, to broadcast over f32[B, L, width]. */
export function nullPrediction(c: GraphContext, { null: kind }: SelfConditioning, width: number): Value {
  const { b } = c;
  return b.at(scope.pointer, () =>
    kind === "learned"
      ? b.emit(
          "reshape",
          { x: c.parameter(scope, "null", [width], "embedding") },
          { shape: [dim(1), dim(1), dim(width)] },
          "null",
        )
      : b.emit("literal", {}, { values: [0], shape: [dim(1)] }),
  );
}

/** The previous prediction f32[B, n, d] where the input self_cond_mask bool[K] says that there is one, else the null. */
export function unlessFirst(
  c: GraphContext,
  description: SelfConditioning,
  previous: Value,
  mask: Value,
): Value {
  const width = lastExtent(previous);
  const none = nullPrediction(c, description, width);
  return c.b.at(scope.pointer, () => {
    const condition = c.b.emit("reshape", { x: mask }, { shape: [mask.type.shape[0]!, dim(1), dim(1)] });
    return c.b.emit("where", { condition, a: previous, b: none }, {}, "previous_x0");
  });
}

/** The positions that are self-conditioned, [B, canvas, n] of [B, L, n]; a value that holds no others stays as it is. */
export function conditionedRows(c: GraphContext, { canvas }: SelfConditioning, x: Value): Value {
  if (canvas === undefined || canvas >= x.type.shape[1]!.value!) return x;
  const [start, length] = [c.lowering.length.minus(canvas), dim(canvas)];
  return c.b.at(scope.pointer, () => c.b.emit("slice", { x }, { axis: 1, start, length }));
}

/** x and the previous prediction (of all positions, or of those that are conditioned), combined as the description says. */
export function selfCondition(
  c: GraphContext,
  description: SelfConditioning,
  x: Value,
  previous: Value,
): Value {
  const { combine, canvas } = description;
  if (combine === "none") return x;
  const rows = conditionedRows(c, description, x);
  const seen = conditionedRows(c, description, previous);
  return c.b.at(scope.pointer, () => {
    const conditioned = combinations[combine](c, description, rows, seen);
    if (canvas === undefined || rows === x) return conditioned;
    const length = c.lowering.length.minus(canvas);
    const before = c.b.emit("slice", { x }, { axis: 1, start: dim(0), length });
    return c.b.emit("concat", { xs: [before, conditioned] }, { axis: 1 }, "self_conditioned");
  });
}
