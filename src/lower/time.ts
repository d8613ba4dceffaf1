// How the noise level reaches the network: number -> features -> MLP -> additive, prefix tokens or adaLN modulations.
// `level` is f32[K], K the batch or 1; everything here keeps K leading so that one table serves all steps.

import type {
  AdaLnTime,
  AdditiveTime,
  ExpFourierFeatures,
  NumberPrefix,
  PrefixTokensTime,
  SinusoidalFeatures,
  TimeConditioning,
  TimeFeatures,
} from "../description/description.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { activate, chunks, lastExtent, linear } from "./layers.js";

/** What the trunk gets: nothing, a vector added to every position, tokens before the sequence, or adaLN's condition. */
export type Time =
  | { readonly kind: "none" }
  | { readonly kind: "additive"; readonly vector: Value }
  | { readonly kind: "prefix"; readonly tokens: Value }
  | { readonly kind: "ada_ln"; readonly condition: Value; readonly bias: boolean; readonly final: boolean };

export const noTime: Time = { kind: "none" };

export function lowerTime(c: GraphContext, time: TimeConditioning, level: Value | undefined): Time {
  if (time.injection === "none" || level === undefined) return noTime;
  const scope: Scope = { name: "time.", pointer: "/time_conditioning" };
  const vector = c.b.at(scope.pointer, () => timeMlp(c, scope, time, features(c, time.features, level)));
  if (time.injection === "additive") return { kind: "additive", vector };
  return time.injection === "prefix_tokens"
    ? { kind: "prefix", tokens: c.b.at(scope.pointer, () => toldTokens(c, scope, time.tokens, vector)) }
    : { kind: "ada_ln", condition: vector, bias: time.bias, final: time.final };
}

/** Tokens of a number that stays the same, f32[1, tokens, width]. */
export function numberTokens(c: GraphContext, scope: Scope, prefix: NumberPrefix): Value {
  const value = c.b.emit("literal", {}, { values: [prefix.value], shape: [dim(1)] });
  return toldTokens(c, scope, prefix.tokens, timeMlp(c, scope, prefix, features(c, prefix.features, value)));
}

/** `<scope>tokens` with the vector f32[K, width] added to each: f32[K, tokens, width]. */
function toldTokens(c: GraphContext, scope: Scope, count: number, vector: Value): Value {
  const width = lastExtent(vector);
  const tokens = c.parameter(scope, "tokens", [count, width], "positions");
  const row = c.b.emit("reshape", { x: vector }, { shape: [vector.type.shape[0]!, dim(1), dim(width)] });
  return c.b.emit("add", { a: row, b: tokens }, {}, "prefix");
}

/** f_i: max_period^(-i/D) (Vaswani et al. 2017), or exp of equally spaced numbers (Plaid). */
function frequency(features: SinusoidalFeatures | ExpFourierFeatures, i: number, half: number): number {
  if (features.kind === "sinusoidal")
    return features.max_period ** (-i / (features.denominator === "half" ? half : half - 1));
  const { lo, hi } = features;
  return Math.exp(half === 1 ? lo : lo + ((hi - lo) * i) / (half - 1));
}

/** [cos(s f), sin(s f)]; an odd dim ends in a zero. The number s itself, where that is all. */
function features(c: GraphContext, features: TimeFeatures, level: Value): Value {
  const { b } = c;
  const column = b.emit("reshape", { x: level }, { shape: [level.type.shape[0]!, dim(1)] });
  if (features.kind === "number") return column;
  const { dim: size, order } = features;
  const half = Math.floor(size / 2);
  const values = Array.from({ length: half }, (_, i) => frequency(features, i, half));
  const frequencies = b.emit("literal", {}, { values, shape: [dim(half)] }, "frequencies");
  const angle = b.emit("mul", { a: column, b: frequencies }, {}, "angle");
  const cos = b.emit("cos", { x: angle }, {});
  const sin = b.emit("sin", { x: angle }, {});
  const pair = b.emit(
    "concat",
    { xs: order === "cos_sin" ? [cos, sin] : [sin, cos] },
    { axis: 1 },
    "time_features",
  );
  return size % 2 === 0 ? pair : b.emit("pad", { x: pair }, { axis: 1, before: dim(0), after: dim(1) });
}

function timeMlp(
  c: GraphContext,
  scope: Scope,
  { mlp }: AdaLnTime | AdditiveTime | PrefixTokensTime | NumberPrefix,
  x: Value,
): Value {
  return mlp.dims.reduce((y, out, k) => {
    const last = k === mlp.dims.length - 1;
    return activate(
      c,
      linear(c, child(scope, `mlp.${k}`, "/mlp"), y, out, mlp.bias),
      last ? mlp.final_activation : mlp.activation,
    );
  }, x);
}

/** Shift, scale and gate of one branch; f32[K, 1, width] each. */
export interface Modulation {
  readonly shift: Value;
  readonly scale: Value;
  readonly gate: Value;
}

/** The `count` chunks of an adaLN layer `<scope>weight`, f32[K, 1, width] each (Peebles & Xie 2023). */
export function modulations(
  c: GraphContext,
  scope: Scope,
  time: Extract<Time, { kind: "ada_ln" }>,
  width: number,
  names: readonly string[],
): Value[] {
  return c.b.at(scope.pointer, () => {
    const all = linear(c, scope, time.condition, names.length * width, time.bias, "modulation");
    const rows = c.b.emit(
      "reshape",
      { x: all },
      { shape: [all.type.shape[0]!, dim(1), dim(lastExtent(all))] },
    );
    return chunks(
      c,
      rows,
      names.map(() => width),
      names,
    );
  });
}

/** x (1 + scale) + shift. */
export function modulate(
  c: GraphContext,
  x: Value,
  { shift, scale }: Pick<Modulation, "shift" | "scale">,
): Value {
  const factor = c.b.emit("scale", { x: scale }, { offset: 1 });
  return c.b.emit("add", { a: c.b.emit("mul", { a: x, b: factor }, {}), b: shift }, {});
}
