// Small pieces every part of a network is made of: linear layers, activations, normalisations, chunks.

import type { Activation, LinearLayers, Norm, OptionalNorm, Projection } from "../description/description.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { child, type GraphContext, type Scope } from "./context.js";

export function activate(c: GraphContext, x: Value, activation: Activation): Value {
  switch (activation) {
    case "none":
      return x;
    case "gelu_erf":
      return c.b.emit("gelu", { x }, { approximate: "none" });
    case "gelu_tanh":
      return c.b.emit("gelu", { x }, { approximate: "tanh" });
    default:
      return c.b.emit(activation, { x }, {});
  }
}

/** y = W x + b with parameters `<scope>weight` [out, in] and `<scope>bias` [out]. */
export function linear(
  c: GraphContext,
  scope: Scope,
  x: Value,
  out: number,
  bias: boolean,
  hint?: string,
): Value {
  const width = lastExtent(x);
  return c.b.at(scope.pointer, () =>
    c.b.emit(
      "linear",
      {
        x,
        weight: c.parameter(scope, "weight", [out, width], "linear"),
        bias: bias ? c.parameter(scope, "bias", [out], "bias") : undefined,
      },
      {},
      hint,
    ),
  );
}

/** Layers `<scope>0`, `<scope>1`, ..: y = activation(W x + b) each. */
export function linearLayers(c: GraphContext, scope: Scope, x: Value, layers: LinearLayers): Value {
  return layers.reduce((y, layer, k) => {
    const at = child(scope, String(k), `/${k}`);
    return c.b.at(at.pointer, () => activate(c, linear(c, at, y, layer.out, layer.bias), layer.activation));
  }, x);
}

/** A projection around a mixer: activation(W x + b), or a sigmoid(b) of the halves of a layer of twice the width. */
export function project(
  c: GraphContext,
  scope: Scope,
  x: Value,
  width: number,
  projection: Projection,
  hint?: string,
): Value {
  if (projection.kind === "none") return x;
  if (projection.kind === "linear")
    return activate(c, linear(c, scope, x, width, projection.bias, hint), projection.activation);
  const both = linear(c, scope, x, 2 * width, projection.bias, "glu");
  const [value, gate] = chunks(c, both, [width, width], ["value", "gate"]) as [Value, Value];
  return c.b.emit("mul", { a: value, b: c.b.emit("sigmoid", { x: gate }, {}) }, {}, "gated_output");
}

export function normalize(
  c: GraphContext,
  scope: Scope,
  x: Value,
  norm: Norm | OptionalNorm,
  hint?: string,
): Value {
  if (norm.kind === "none") return x;
  const width = lastExtent(x);
  return c.b.at(scope.pointer, () => {
    const weight = norm.affine === "none" ? undefined : c.parameter(scope, "weight", [width], "norm");
    const bias = norm.affine === "weight_bias" ? c.parameter(scope, "bias", [width], "bias") : undefined;
    if (norm.kind === "layer")
      return c.b.emit("layer_norm", { x, weight, bias }, { epsilon: norm.eps }, hint);
    const y = c.b.emit("rms_norm", { x, weight }, { epsilon: norm.eps }, hint);
    return bias === undefined ? y : c.b.emit("add", { a: y, b: bias }, {}, hint);
  });
}

/** max(|x| - lambda, 0) sign(x) = relu(x - lambda) - relu(-x - lambda). */
export function softShrink(c: GraphContext, x: Value, lambda: number): Value {
  if (lambda === 0) return x;
  const { b } = c;
  const above = b.emit("relu", { x: b.emit("scale", { x }, { offset: -lambda }) }, {});
  const below = b.emit("relu", { x: b.emit("scale", { x }, { factor: -1, offset: -lambda }) }, {});
  return b.emit("sub", { a: above, b: below }, {}, "shrunk");
}

/** Consecutive pieces of the last axis. */
export function chunks(
  c: GraphContext,
  x: Value,
  widths: readonly number[],
  hints: readonly string[] = [],
): Value[] {
  const axis = x.type.shape.length - 1;
  let start = 0;
  return widths.map((width, i) => {
    const piece = c.b.emit("slice", { x }, { axis, start: dim(start), length: dim(width) }, hints[i]);
    start += width;
    return piece;
  });
}

/** The known extent of the last axis. */
export function lastExtent(x: Value): number {
  return x.type.shape[x.type.shape.length - 1]!.value!;
}
