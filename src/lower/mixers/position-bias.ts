// Biases of attention scores by distance, [heads, 2 L - 1]: column j - i + L - 1 is added to the score of query i and key
// j. To add a kind: a schema fragment, a case here.

import type { AttentionMixer } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";

/** The table of an attention mixer over the positions of the sequence; undefined where it has none. */
export function positionBias(
  c: GraphContext,
  _scope: Scope,
  { heads, position_bias: bias }: AttentionMixer,
  length: number,
): Value | undefined {
  switch (bias.kind) {
    case "none":
      return undefined;
    case "alibi":
      return linearBiases(c, heads, length);
  }
}

/** -m_h |j - i| (Press et al. 2022, "Train Short, Test Long", ALiBi). */
function linearBiases(c: GraphContext, heads: number, length: number): Value {
  const { b } = c;
  const columns = 2 * length - 1;
  const steps = b.emit("scale", { x: b.emit("iota", {}, { length: dim(columns) }) }, { offset: 1 - length });
  const distances = b.emit(
    "reshape",
    { x: b.emit("abs", { x: steps }, {}) },
    { shape: [dim(1), dim(columns)] },
  );
  const values = slopes(heads).map((slope) => -slope);
  const column = b.emit("literal", {}, { values, shape: [dim(heads), dim(1)] }, "slopes");
  return b.emit("mul", { a: column, b: distances }, {}, "position_bias");
}

/** 2^(-8 (h + 1) / n); where n is no power of two, those of the power below and every other one of the next. */
function slopes(n: number): number[] {
  const power = 2 ** Math.floor(Math.log2(n));
  const geometric = (count: number): number[] =>
    Array.from({ length: count }, (_, h) => 2 ** ((-8 * (h + 1)) / count));
  const between = geometric(2 * power).filter((_, h) => h % 2 === 0);
  return [...geometric(power), ...between.slice(0, n - power)];
}
