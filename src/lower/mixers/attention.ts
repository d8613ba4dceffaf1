// Softmax attention (Vaswani et al. 2017) with optional rotary positions (Su et al. 2021).

import type { AttentionMixer } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { chunks, lastExtent, linear } from "../layers.js";

export function lowerAttention(c: GraphContext, scope: Scope, x: Value, mixer: AttentionMixer): Value {
  const { heads, head_dim, scale, mask, rope, bias } = mixer;
  const width = heads * head_dim;
  const qkv = linear(c, child(scope, "qkv"), x, 3 * width, bias.qkv, "qkv");
  const [q, k, v] = chunks(c, qkv, [width, width, width], ["q", "k", "v"]) as [Value, Value, Value];
  const rotate = (y: Value, hint: string): Value => {
    if (rope.kind === "none") return y;
    return c.b.emit(
      "rope",
      { x: y },
      { heads, rotary: Math.round(rope.fraction * head_dim), base: rope.base, layout: rope.layout },
      hint,
    );
  };
  const y = c.b.emit(
    "attention",
    { q: rotate(q, "q_rotated"), k: rotate(k, "k_rotated"), v },
    { heads, kv_heads: heads, scale, mask },
    "attention",
  );
  return linear(c, child(scope, "out_proj"), y, lastExtent(x), bias.out);
}
