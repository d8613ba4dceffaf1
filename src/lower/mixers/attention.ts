// Softmax attention (Vaswani et al. 2017) with shared key heads, norms of q and k, rotary positions (Su et al. 2021).

import type { AttentionMixer, OptionalNorm } from "../../description/description.js";
import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { chunks, lastExtent, linear, normalize } from "../layers.js";
import { positionBias } from "./position-bias.js";

export function lowerAttention(c: GraphContext, scope: Scope, x: Value, mixer: AttentionMixer): Value {
  const { heads, kv_heads, head_dim, scale, mask, rope, bias, qk_norm: norm } = mixer;
  const widths = [heads * head_dim, kv_heads * head_dim, kv_heads * head_dim] as const;
  const [q, k, v] = projections(c, scope, x, mixer, widths);
  const values = headNorm(c, child(scope, "v_norm", "/v_norm"), v, kv_heads, head_dim, mixer.v_norm);
  const prepared = (y: Value, name: "q" | "k", count: number): Value => {
    const normalized = headNorm(c, child(scope, `${name}_norm`, "/qk_norm"), y, count, head_dim, norm);
    return rotated(c, normalized, { rope, heads: count, head_dim }, `${name}_rotated`);
  };
  const at = child(scope, "position_bias", "/position_bias");
  const added = c.b.at(at.pointer, () => positionBias(c, at, mixer, x.type.shape[1]!.value!));
  const y = c.b.emit(
    "attention",
    { q: prepared(q, "q", heads), k: prepared(k, "k", kv_heads), v: values, bias: added },
    { heads, kv_heads, scale, ...seen(mask) },
    "attention",
  );
  return linear(c, child(scope, "out_proj"), y, lastExtent(x), bias.out);
}

/** Heads turned by their positions, where there is a rotation. */
export function rotated(
  c: GraphContext,
  x: Value,
  { rope, heads, head_dim }: Pick<AttentionMixer, "rope" | "heads" | "head_dim">,
  hint = "rotated",
): Value {
  if (rope.kind === "none") return x;
  const turning = Math.round(rope.fraction * head_dim);
  const { base, layout, skip } = rope;
  return c.b.emit(
    "rope",
    { x },
    {
      heads,
      base,
      layout,
      skip,
      ...(rope.fraction_of === "channels" || rope.fraction === 1
        ? { rotary: turning }
        : { rotary: head_dim, turning: turning / 2 }),
    },
    hint,
  );
}

function seen(mask: AttentionMixer["mask"]): { mask: typeof mask.kind; span?: number; window?: number } {
  switch (mask.kind) {
    case "full":
    case "causal":
      return { mask: mask.kind };
    case "block_causal":
      return { mask: mask.kind, span: mask.block };
    case "sliding":
      return { mask: mask.kind, span: mask.window };
    case "canvas":
      return { mask: mask.kind, span: mask.canvas, window: mask.window };
  }
}

function projections(
  c: GraphContext,
  scope: Scope,
  x: Value,
  { projection, value_from, bias }: AttentionMixer,
  widths: readonly [number, number, number],
): [Value, Value, Value] {
  const names = value_from === "key" ? (["q", "k"] as const) : (["q", "k", "v"] as const);
  const own = widths.slice(0, names.length);
  const projected = (): Value[] => {
    if (projection === "separate")
      return names.map((name, i) => linear(c, child(scope, name), x, widths[i]!, bias.qkv, name));
    const total = own.reduce((sum, width) => sum + width, 0);
    return chunks(c, linear(c, child(scope, "qkv"), x, total, bias.qkv, "qkv"), own, names);
  };
  const [q, k, v] = projected() as [Value, Value, Value?];
  return [q, k, v ?? k];
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
