// Rounding heads: from a vector per position to logits over the vocabulary.

import type { RoundingHead } from "../description/description.js";
import type { Value } from "../ir/graph.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { linear, linearLayers, normalize } from "./layers.js";

const scope: Scope = { name: "", pointer: "/rounding_head" };

/** What a head turns vectors into: the tokens, and the embedding table that it is tied to or compares with. */
export interface Tokens {
  readonly vocabulary: number;
  table(): Value;
}

/** Logits f32[B, L, vocabulary] of what the head reads. */
export function lowerHead(
  c: GraphContext,
  input: Value,
  head: Exclude<RoundingHead, { readonly kind: "none" }>,
  { vocabulary, table }: Tokens,
): Value {
  return c.b.at(scope.pointer, () => {
    if (head.kind === "l2_nearest") return negativeDistance(c, input, table());
    const layers = linearLayers(c, child(scope, "head.layers", "/layers"), input, head.layers);
    const x = normalize(c, child(scope, "head.norm", "/norm"), layers, head.norm);
    if (!head.tied) return linear(c, child(scope, "head"), x, vocabulary, head.bias, "logits");
    const bias = head.bias ? c.parameter(child(scope, "head"), "bias", [vocabulary], "bias") : undefined;
    return c.b.emit("linear", { x, weight: table(), bias }, {}, "logits");
  });
}

/** -sqrt(max(0, |e|^2 + |x|^2 - 2 <e, x>)) for every row e of the table (Diffusion-LM, logits_mode 2). */
function negativeDistance(c: GraphContext, x: Value, table: Value): Value {
  const { b } = c;
  const rank = x.type.shape.length;
  const squares = (y: Value): Value => b.emit("mul", { a: y, b: y }, {});
  const ofX = b.emit("reduce_sum", { x: squares(x) }, { axis: rank - 1, keepdims: true });
  const ofRows = b.emit("reduce_sum", { x: squares(table) }, { axis: 1 });
  const inner = b.emit("linear", { x, weight: table }, {});
  const sum = b.emit("add", { a: ofX, b: ofRows }, {});
  const distance = b.emit(
    "relu",
    { x: b.emit("add", { a: sum, b: b.emit("scale", { x: inner }, { factor: -2 }) }, {}) },
    {},
  );
  return b.emit("neg", { x: b.emit("sqrt", { x: distance }, {}) }, {}, "logits");
}

/** Every row of x replaced by the nearest row of the table (the clamping trick). */
export function clampToEmbeddings(c: GraphContext, x0: Value, table: Value): Value {
  return c.b.at(scope.pointer, () =>
    c.b.emit(
      "take",
      { table, indices: c.b.emit("nearest_row", { x: x0, table }, {}, "nearest") },
      {},
      "clamped",
    ),
  );
}

/** tokens = argmax of logits, the lowest index on a tie. */
export function tokensOf(c: GraphContext, logits: Value): Value {
  return c.b.at(scope.pointer, () =>
    c.b.emit("argmax", { x: logits }, { axis: logits.type.shape.length - 1 }, "tokens"),
  );
}

/** How a predicted x0 is brought back to the embedding table. */
export function clampOf(head: RoundingHead): "none" | "nearest_embedding" | "argmax_embedding" {
  return head.kind === "none" ? "none" : head.clamp;
}

/** Whether the final x can be read by the head: a direct x0, or a head that measures distance to embeddings. */
export function headReadsState(head: RoundingHead, x0From: "direct" | "softmax_embedding"): boolean {
  return x0From === "direct" || head.kind === "l2_nearest";
}

/** Whether logits come from the last block's output rather than from x0. */
export function readsTrunk(head: RoundingHead): boolean {
  return head.kind === "linear" && head.reads === "trunk";
}
