// Cross-attention to the output of an encoder that runs elsewhere. Keys and values depend on nothing else, so the pass
// hoist-encoder computes them once per generation.

import type { CrossAttention, ModelDescription } from "../description/description.js";
import type { Value } from "../ir/graph.js";
import { type } from "../ir/type.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { lastExtent, linear, linearLayers } from "./layers.js";
import { headNorm } from "./mixers/attention.js";

const projection: Scope = { name: "encoder.in_proj.", pointer: "/conditioning/encoder/in_proj" };

/** What blocks may attend to. */
export interface Encoded {
  /** The input itself, f32[B, S, dim]. */
  readonly given: Value;
  /** f32[B, S, width of in_proj]. */
  readonly values: Value;
  /** Which positions there are, bool[B, S]; all without it. */
  readonly visible: Value | undefined;
}

/** The inputs encoder and encoder_mask of a graph, behind in_proj; undefined where the description has none. */
export function encoderInput(
  c: GraphContext,
  { conditioning: { encoder } }: Pick<ModelDescription, "conditioning">,
): Encoded | undefined {
  if (encoder === undefined) return undefined;
  const { batch } = c.lowering;
  const given = c.b.input("encoder", type("f32", [batch, encoder.length, encoder.dim]));
  const visible = encoder.mask ? c.b.input("encoder_mask", type("bool", [batch, encoder.length])) : undefined;
  return { given, values: linearLayers(c, projection, given, encoder.in_proj), visible };
}

/**
 * What blocks attend to where nothing is given: in_proj of zeros, at the same positions. The zeros are 0 times the input,
 * so that what follows counts as the encoder's and is computed once per generation.
 */
export function withoutEncoder(
  c: GraphContext,
  { conditioning: { encoder } }: Pick<ModelDescription, "conditioning">,
  { given, visible }: Encoded,
): Encoded {
  const zeros = c.b.at("/sampler/guidance", () => c.b.emit("scale", { x: given }, { factor: 0 }));
  return { given: zeros, values: linearLayers(c, projection, zeros, encoder?.in_proj ?? []), visible };
}

/** y = out_proj(softmax(scale q k^T) v), q of x f32[B, L, width], k and v of the encoder. */
export function lowerCrossAttention(
  c: GraphContext,
  scope: Scope,
  x: Value,
  { values, visible }: Encoded,
  attention: CrossAttention,
): Value {
  const { heads, kv_heads, head_dim, scale, bias, qk_norm: norm } = attention;
  return c.b.at(scope.pointer, () => {
    const projected = (name: "q" | "k" | "v", from: Value, count: number): Value =>
      linear(c, child(scope, name), from, count * head_dim, bias.qkv, scope.name + name);
    const normed = (name: "q" | "k", from: Value, count: number): Value =>
      headNorm(
        c,
        child(scope, `${name}_norm`, "/qk_norm"),
        projected(name, from, count),
        count,
        head_dim,
        norm,
      );
    const q = normed("q", x, heads);
    const k = normed("k", values, kv_heads);
    const v = projected("v", values, kv_heads);
    const y = c.b.emit("attention", { q, k, v, visible }, { heads, kv_heads, scale }, "cross_attention");
    return linear(c, child(scope, "out_proj"), y, lastExtent(x), bias.out);
  });
}
