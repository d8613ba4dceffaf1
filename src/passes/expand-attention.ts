// attention(q, k, v) = softmax(scale q k^T + bias + mask) v per head. Heads become an axis: [B, L, H s] -> [B, H, L, s].
// With kv_heads = H / r, the r query heads that share a key head are rows of one product: [B, G, r L, s] by
// [B, G, s, K], so keys and values are never repeated.

import { type Dim, dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { type AttentionMask, seenKeys } from "../ir/ops/attention.js";
import { type Rewriter, rewriteModule, rule } from "../ir/rewrite.js";
import { sameShape } from "../ir/type.js";
import type { Pass } from "./pass.js";

/** A score whose exp is 0 in every float format, and which no target has to write as an infinity. */
const masked = -1e30;

const expand = rule("attention", ({ q, k, v, visible, bias }, { heads, kv_heads, scale, ...seen }, b) => {
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
  const unbiased = b.emit("matmul", { a: queries, b: across }, {});
  const products =
    bias === undefined
      ? unbiased
      : b.emit(
          "add",
          { a: unbiased, b: reshape(byDistance(b, bias, length, keys), kv_heads, rows, keys) },
          {},
        );
  const low = (): Value => b.emit("constant", {}, { value: lowest(products), element: elementOf(products) });
  const scores =
    visible !== undefined
      ? b.emit("where", { condition: reshape(visible, batch, 1, 1, keys), a: products, b: low() }, {})
      : seen.mask === "full"
        ? products
        : reshape(hide(b, reshape(products, batch, heads, length, keys), seen), batch, kv_heads, rows, keys);
  const weights = b.emit("softmax", { x: scores }, { axis: 3 }, "attention_weights");
  const mixed = reshape(b.emit("matmul", { a: weights, b: values }, {}), batch, heads, length, size);
  return [reshape(transpose(mixed, 0, 2, 1, 3), batch, length, width)];
});

/** The biases [heads, Q + K - 1] as a number for every query and key, [heads, Q, K]. */
function byDistance(b: Rewriter, bias: Value, queries: Dim, keys: Dim): Value {
  const [q, k] = [queries.value!, keys.value!];
  const values = Array.from({ length: q * k }, (_, at) => (at % k) - Math.floor(at / k) + q - 1);
  const indices = b.emit("literal", {}, { values, shape: [queries, keys], element: "i32" });
  const table = b.emit("transpose", { x: bias }, { permutation: [1, 0] });
  const taken = b.emit("take", { table, indices }, {});
  return b.emit("transpose", { x: taken }, { permutation: [2, 0, 1] }, "distance_bias");
}

/** Scores of the keys that a query does not see become so low that their weights are 0. */
function hide(b: Rewriter, scores: Value, mask: AttentionMask): Value {
  const [, , length, keys] = scores.type.shape as [Dim, Dim, Dim, Dim];
  const column = (x: Value): Value => b.emit("reshape", { x }, { shape: [length, dim(1)] });
  const hidden = hiddenKeys(b, mask, keys, {
    queries: (of) => column(of(length)),
    keys: (of) => of(keys),
  });
  const low = b.emit("constant", {}, { value: lowest(scores), element: elementOf(scores) });
  return b.emit("where", { condition: hidden, a: low, b: scores }, {});
}

const elementOf = ({ type }: Value): "f32" | "f16" => type.element as "f32" | "f16";
const lowest = (scores: Value): number => (elementOf(scores) === "f16" ? -65504 : masked);

/** A number of every query as a column, and of every key as a row. */
interface Numbered {
  queries(of: (count: Dim) => Value): Value;
  keys(of: (count: Dim) => Value): Value;
}

/** True where query i does not see key j. */
function hiddenKeys(b: Rewriter, seen: AttentionMask, count: Dim, at: Numbered): Value {
  const { mask, span } = seen;
  if (mask === "causal") {
    const number = (length: Dim): Value => b.emit("iota", {}, { length, element: "i32" });
    const i = at.queries(number);
    return b.emit("less", { a: i, b: at.keys(number) }, {}, "hidden");
  }
  const literal = (of: (i: number) => number) => (count: Dim) =>
    b.emit("literal", {}, { values: Array.from({ length: count.value! }, (_, i) => of(i)), shape: [count] });
  if (mask === "block_causal") {
    const block = literal((i) => Math.floor(i / span));
    const own = at.queries(block);
    return b.emit("less", { a: own, b: at.keys(block) }, {}, "hidden");
  }
  const position = literal((i) => i);
  if (mask === "canvas") {
    // |j - (first + last) / 2| > (last - first) / 2: halves are exact.
    const interval = seenKeys(seen, count.value!);
    const middle = at.queries(literal((i) => (interval(i)[0] + interval(i)[1]) / 2));
    const half = at.queries(literal((i) => (interval(i)[1] - interval(i)[0]) / 2));
    const off = b.emit("abs", { x: b.emit("sub", { a: at.keys(position), b: middle }, {}) }, {});
    return b.emit("less", { a: half, b: off }, {}, "hidden");
  }
  const i = at.queries(position);
  const distance = b.emit("abs", { x: b.emit("sub", { a: i, b: at.keys(position) }, {}) }, {});
  const most = b.emit("constant", {}, { value: span - 1, element: "f32" });
  return b.emit("less", { a: most, b: distance }, {}, "hidden");
}

export const expandAttention: Pass = {
  name: "expand-attention",
  summary: "write attention as matrix products and a softmax",
  run: (module) => rewriteModule(module, "expand-attention", [expand]),
};
