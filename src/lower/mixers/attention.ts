// Softmax attention (Vaswani et al. 2017) with shared key heads, norms of q and k, rotary positions (Su et al. 2021).

import type { AttentionMixer, OptionalNorm } from "../../description/description.js";
import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { chunks, lastExtent, linear, normalize } from "../layers.js";

export function lowerAttention(c: GraphContext, scope: Scope, x: Value, mixer: AttentionMixer): Value {
  const { heads, kv_heads, head_dim, scale, mask, rope, bias, qk_norm: norm } = mixer;
  const widths = [heads * head_dim, kv_heads * head_dim, kv_heads * head_dim] as const;
  const [q, k, v] = projections(c, scope, x, mixer, widths);
  const prepared = (y: Value, name: "q" | "k", count: number): Value => {
    const normalized = headNorm(c, child(scope, `${name}_norm`, "/qk_norm"), y, count, head_dim, norm);
    if (rope.kind === "none") return normalized;
    return c.b.emit(
      "rope",
      { x: normalized },
      {
        heads: count,
        rotary: Math.round(rope.fraction * head_dim),
        base: rope.base,
        layout: rope.layout,
        skip: rope.skip,
      },
      `${name}_rotated`,
    );
  };
  const y = c.b.emit(
    "attention",
    { q: prepared(q, "q", heads), k: prepared(k, "k", kv_heads), v },
    { heads, kv_heads, scale, mask: mask.kind, span: spanOf(mask) },
    "attention",
  );
  return linear(c, child(scope, "out_proj"), y, lastExtent(x), bias.out);
}

function spanOf(mask: AttentionMixer["mask"]): number {
  if (mask.kind === "block_causal") return mask.block;
  return mask.kind === "sliding" ? mask.window : 1;
}

function projections(
  c: GraphContext,
  scope: Scope,
  x: Value,
  { projection, bias }: AttentionMixer,
  widths: readonly [number, number, number],
): [Value, Value, Value] {
  if (projection === "separate")
    return ["q", "k", "v"].map((name, i) => linear(c, child(scope, name), x, widths[i]!, bias.qkv, name)) as [
      Value,
      Value,
      Value,
    ];
  const qkv = linear(c, child(scope, "qkv"), x, widths[0] + widths[1] + widths[2], bias.qkv, "qkv");
  return chunks(c, qkv, widths, ["q", "k", "v"]) as [Value, Value, Value];
}

/** The norm over the channels of each head: [B, L, heads head_dim] as [B, L, heads, head_dim]. */
export function headNorm(
  c: GraphContext,
  scope: Scope,
  x: Value,
  heads: number,
  size: number,
  norm: OptionalNorm,
): Value {
  if (norm.kind === "none") return x;
  const [batch, length] = x.type.shape as [Dim, Dim];
  const split = c.b.emit("reshape", { x }, { shape: [batch, length, dim(heads), dim(size)] });
  return c.b.emit("reshape", { x: normalize(c, scope, split, norm) }, { shape: x.type.shape });
}
