// How the noise level reaches the network: number -> features -> MLP -> additive, prefix tokens or adaLN modulations.
// `level` is f32[K], K the batch or 1; everything here keeps K leading so that one table serves all steps. Where positions
// are at times of their own it is f32[K, L], and features, vectors and modulations are f32[K, L, ..].

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
import { type Label, withClass } from "./class-label.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { activate, chunks, lastExtent, linear, linearLayers } from "./layers.js";

type Chunk = AdaLnTime["chunks"][number];

/** What the trunk gets: nothing, a vector added to every position, tokens before the sequence, what blocks have layers of. */
export type Time =
  | { readonly kind: "none" }
  | { readonly kind: "additive"; readonly vector: Value }
  | { readonly kind: "prefix"; readonly tokens: Value }
  | { readonly kind: "blocks"; readonly condition: Value }
  | AdaLn;

/** adaLN's condition, and which chunks of its layers modulate what. */
interface AdaLn extends Pick<AdaLnTime, "bias" | "final" | "chunks" | "branches" | "at"> {
  readonly kind: "ada_ln";
  readonly condition: Value;
  /** Added to every position too, f32[K, width] or f32[K, L, width]. */
  readonly vector: Value | undefined;
}

export const noTime: Time = { kind: "none" };

export function lowerTime(
  c: GraphContext,
  time: TimeConditioning,
  level: Value | undefined,
  label?: Label,
): Time {
  if (time.injection === "none" || level === undefined) return noTime;
  const scope: Scope = { name: "time.", pointer: "/time_conditioning" };
  const alone = c.b.at(scope.pointer, () =>
    timeMlp(c, scope, time, features(c, time.features, level), label),
  );
  const vector = withClass(c, alone, label, "time");
  if (time.injection === "additive")
    return time.at === "blocks" ? { kind: "blocks", condition: vector } : { kind: "additive", vector };
  if (time.injection === "prefix_tokens")
    return { kind: "prefix", tokens: c.b.at(scope.pointer, () => toldTokens(c, scope, time.tokens, vector)) };
  const { bias, final, chunks: names, branches, at, additive } = time;
  const added = linearLayers(c, child(scope, "additive", "/additive"), vector, additive);
  return {
    kind: "ada_ln",
    condition: vector,
    vector: additive.length === 0 ? undefined : added,
    bias,
    final,
    chunks: names,
    branches,
    at,
  };
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
  const column = b.emit("reshape", { x: level }, { shape: [...level.type.shape, dim(1)] });
  const axis = level.type.shape.length;
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
    { axis },
    "time_features",
  );
  return size % 2 === 0 ? pair : b.emit("pad", { x: pair }, { axis, before: dim(0), after: dim(1) });
}

function timeMlp(
  c: GraphContext,
  scope: Scope,
  { mlp }: AdaLnTime | AdditiveTime | PrefixTokensTime | NumberPrefix,
  x: Value,
  label?: Label,
): Value {
  return mlp.dims.reduce((y, out, k) => {
    const z = linear(c, child(scope, `mlp.${k}`, "/mlp"), y, out, mlp.bias);
    return k < mlp.dims.length - 1
      ? activate(c, z, mlp.activation)
      : activate(c, withClass(c, z, label, "time_mlp"), mlp.final_activation);
  }, x);
}

/** f32[K, width] of a text as f32[K, 1, width]; f32[K, L, width] of positions as it is. */
export function alongPositions(c: GraphContext, rows: Value): Value {
  const { shape } = rows.type;
  if (shape.length === 3) return rows;
  return c.b.emit("reshape", { x: rows }, { shape: [shape[0]!, dim(1), shape[1]!] });
}

/** Those of shift, scale and gate that one branch has; f32[K, 1 or L, width] each. */
export type Modulation = { readonly [C in Chunk]?: Value };

/** The modulations of `parts` by an adaLN layer `<scope>weight`, the chunks of each together (Peebles & Xie 2023). */
export function modulations(
  c: GraphContext,
  scope: Scope,
  time: AdaLn,
  width: number,
  parts: readonly { readonly suffix: string; readonly chunks: readonly Chunk[] }[],
): readonly Modulation[] {
  const names = parts.flatMap((part) => part.chunks.map((chunk) => `${chunk}${part.suffix}`));
  return c.b.at(scope.pointer, () => {
    const all = linear(c, scope, time.condition, names.length * width, time.bias, "modulation");
    const values = chunks(
      c,
      alongPositions(c, all),
      names.map(() => width),
      names,
    );
    let next = 0;
    return parts.map((part) => Object.fromEntries(part.chunks.map((chunk) => [chunk, values[next++]!])));
  });
}

/** x (1 + scale) + shift, as far as there are. */
export function modulate({ b }: GraphContext, x: Value, { shift, scale }: Modulation): Value {
  const scaled =
    scale === undefined ? x : b.emit("mul", { a: x, b: b.emit("scale", { x: scale }, { offset: 1 }) }, {});
  return shift === undefined ? scaled : b.emit("add", { a: scaled, b: shift }, {});
}
