// Attention without a softmax (Katharopoulos et al. 2020, "Transformers are RNNs"; Sun et al. 2023, RetNet):
//   y_i = sum_j D[i, j] (f(q_i) . f(k_j)) v_j / (sum_j D[i, j] f(q_i) . f(k_j) + 1e-6)
// Where D is 1 everywhere the sums over j come first, f(q_i) (sum_j f(k_j) v_j'), and no matrix of positions is made.

import type { LinearAttentionMixer } from "../../description/description.js";
import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { chunks, lastExtent, linear, project } from "../layers.js";
import { headNorm, rotated } from "./attention.js";

export function lowerLinearAttention(
  c: GraphContext,
  scope: Scope,
  x: Value,
  mixer: LinearAttentionMixer,
): Value {
  const { b } = c;
  const { heads, scale, rope, normalize } = mixer;
  const width = lastExtent(x);
  const size = width / heads;
  const [batch, length] = x.type.shape as [Dim, Dim];
  const fused = linear(c, child(scope, "qkv"), x, 3 * width, mixer.bias, "qkv");
  const [q, k, v] = chunks(c, fused, [width, width, width], ["q", "k", "v"]) as [Value, Value, Value];
  /** [B, heads, L, size]. */
  const byHead = (y: Value): Value => {
    const split = b.emit("reshape", { x: y }, { shape: [batch, length, dim(heads), dim(size)] });
    return b.emit("transpose", { x: split }, { permutation: [0, 2, 1, 3] });
  };
  const of = (y: Value): Value => features(c, rotated(c, y, { rope, heads, head_dim: size }), mixer.features);
  const query = byHead(scale === 1 ? of(q) : b.emit("scale", { x: of(q) }, { factor: scale }));
  const sums = weighted(c, mixer, { q: query, k: byHead(of(k)), v: byHead(v) });
  const y =
    normalize === "none"
      ? sums.values
      : b.emit("div", { a: sums.values, b: b.emit("scale", { x: sums.weights() }, { offset: 1e-6 }) }, {});
  const joined = b.emit("transpose", { x: y }, { permutation: [0, 2, 1, 3] });
  const mixed = b.emit("reshape", { x: joined }, { shape: x.type.shape }, "mixed");
  const normed = headNorm(c, child(scope, "head_norm", "/head_norm"), mixed, heads, size, mixer.head_norm);
  return project(c, child(scope, "out_proj", "/out_proj"), normed, width, mixer.out_proj);
}

interface Heads {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** The weighted sum of the values [B, heads, L, size], and the sum of the weights [B, heads, L, 1]. */
function weighted(
  c: GraphContext,
  { heads, mask, decay }: LinearAttentionMixer,
  { q, k, v }: Heads,
): { values: Value; weights: () => Value } {
  const { b } = c;
  const keysLast = (): Value => b.emit("transpose", { x: k }, { permutation: [0, 1, 3, 2] });
  if (mask === "full" && decay === "none") {
    const state = b.emit("matmul", { a: keysLast(), b: v }, {}, "state");
    const total = (): Value => b.emit("reduce_sum", { x: k }, { axis: 2, keepdims: true });
    return {
      values: b.emit("matmul", { a: q, b: state }, {}),
      weights: () => b.emit("matmul", { a: q, b: total() }, { transpose_b: true }),
    };
  }
  const products = b.emit("matmul", { a: q, b: k }, { transpose_b: true });
  const scores = b.emit(
    "mul",
    { a: products, b: decays(c, heads, q.type.shape[2]!.value!, { mask, decay }) },
    {},
    "scores",
  );
  return {
    values: b.emit("matmul", { a: scores, b: v }, {}),
    weights: () => b.emit("reduce_sum", { x: scores }, { axis: 3, keepdims: true }),
  };
}

/** D [heads or 1, L, L]: g_h^|i - j|, 0 for j > i where the mask is causal. */
function decays(
  c: GraphContext,
  heads: number,
  length: number,
  { mask, decay }: Pick<LinearAttentionMixer, "mask" | "decay">,
): Value {
  const { b } = c;
  const n = dim(length);
  const line = (shape: readonly Dim[]): Value =>
    b.emit("reshape", { x: b.emit("iota", {}, { length: n }) }, { shape });
  const [rows, columns] = [line([dim(1), n, dim(1)]), line([dim(1), dim(1), n])];
  const constant = (value: number): Value => b.emit("constant", {}, { value });
  const rates = Array.from({ length: decay === "none" ? 1 : heads }, (_, h) =>
    decay === "none" ? 0 : Math.log1p(-(2 ** (-5 - h))),
  );
  const logs = b.emit("literal", {}, { values: rates, shape: [dim(rates.length), dim(1), dim(1)] });
  const distance = b.emit("abs", { x: b.emit("sub", { a: rows, b: columns }, {}) }, {});
  const whole = b.emit("exp", { x: b.emit("mul", { a: logs, b: distance }, {}) }, {});
  if (mask === "full") return whole;
  const later = b.emit("less", { a: rows, b: columns }, {});
  return b.emit("where", { condition: later, a: constant(0), b: whole }, {}, "decays");
}

/** elu(x) + 1 = max(x, 0) + e^min(x, 0), max(x, 0), or x. */
function features(c: GraphContext, x: Value, form: LinearAttentionMixer["features"]): Value {
  const { b } = c;
  if (form === "none") return x;
  const above = b.emit("relu", { x }, {});
  if (form === "relu") return above;
  const below = b.emit("sub", { a: x, b: above }, {});
  return b.emit("add", { a: above, b: b.emit("exp", { x: below }, {}) }, {}, "features");
}
