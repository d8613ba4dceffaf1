// attention(q, k, v) = softmax(scale q k^T + mask) v per head. Heads become an axis: [B, L, H s] -> [B, H, L, s].
// With kv_heads = H / r, the r query heads that share a key head are rows of one product: [B, G, r L, s] by
// [B, G, s, K], so keys and values are never repeated.

import { type Dim, dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { type Rewriter, rewriteModule, rule } from "../ir/rewrite.js";
import { sameShape } from "../ir/type.js";
import type { Pass } from "./pass.js";

/** A score whose exp is 0 in every float format, and which no target has to write as an infinity. */
const masked = -1e30;

const expand = rule("attention", ({ q, k, v }, { heads, kv_heads, scale, mask }, b) => {
  const [batch, length, width] = q.type.shape as [Dim, Dim, Dim];
  const keys = k.type.shape[1]!;
  const size = dim(width.value! / heads);
  const rows = length.times(heads / kv_heads);
  const reshape = (x: Value, ...shape: readonly (Dim | number)[]): Value =>
    sameShape(x.type.shape, shape.map(dim)) ? x : b.emit("reshape", { x }, { shape: shape.map(dim) });
  const transpose = (x: Value, ...permutation: readonly number[]): Value =>
    b.emit("transpose", { x }, { permutation });

  const scaled = scale === 1 ? q : b.emit("scale", { x: q }, { factor: scale });
  const queries = reshape(
    transpose(reshape(scaled, batch, length, heads, size), 0, 2, 1, 3),
    batch,
    kv_heads,
    rows,
    size,
  );
  const across = transpose(reshape(k, batch, keys, kv_heads, size), 0, 2, 3, 1);
  const values = transpose(reshape(v, batch, keys, kv_heads, size), 0, 2, 1, 3);
  const products = b.emit("matmul", { a: queries, b: across }, {});
  const scores =
    mask === "full"
      ? products
      : reshape(causal(b, reshape(products, batch, heads, length, keys)), batch, kv_heads, rows, keys);
  const weights = b.emit("softmax", { x: scores }, { axis: 3 }, "attention_weights");
  const mixed = reshape(b.emit("matmul", { a: weights, b: values }, {}), batch, heads, length, size);
  return [reshape(transpose(mixed, 0, 2, 1, 3), batch, length, width)];
});

/** Position i sees positions j <= i. */
function causal(b: Rewriter, scores: Value): Value {
  const [, , length, keys] = scores.type.shape as [Dim, Dim, Dim, Dim];
  const i = b.emit(
    "reshape",
    { x: b.emit("iota", {}, { length, element: "i32" }) },
    { shape: [length, dim(1)] },
  );
  const j = b.emit("iota", {}, { length: keys, element: "i32" });
  const hidden = b.emit("less", { a: i, b: j }, {}, "hidden");
  const element = scores.type.element as "f32" | "f16";
  const value = element === "f16" ? -65504 : masked;
  return b.emit("where", { condition: hidden, a: b.emit("constant", {}, { value, element }), b: scores }, {});
}

export const expandAttention: Pass = {
  name: "expand-attention",
  summary: "write attention as matrix products and a softmax",
  run: (module) => rewriteModule(module, "expand-attention", [expand]),
};
