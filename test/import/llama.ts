// LLaMA's network in plain loops and its checkpoints' names, for the systems that stand on it: Qwen3 adds a norm of every
// head's queries and keys, each system says what a position sees.

import {
  add,
  attend,
  beside,
  columns,
  each,
  linear,
  multiply,
  type Rows,
  rmsNorm,
  rotate,
  silu,
  type Weights,
  weightsOf,
} from "./plain.js";

/** A network of this kind. */
export interface Llama {
  readonly vocab: number;
  readonly width: number;
  readonly heads: number;
  /** Heads of keys and values. */
  readonly kv: number;
  /** Channels of a head. */
  readonly head: number;
  readonly hidden: number;
  readonly layers: number;
  readonly eps: number;
  readonly base: number;
  /** Whether queries and keys are normed, head by head. */
  readonly qkNorm: boolean;
  readonly sees: (to: number, from: number) => boolean;
}

/** Weights by the names of `LlamaForCausalLM`; tied: the head is the embedding table. */
export function llamaWeights(net: Llama, tied: boolean): Weights {
  const { width, heads, kv, head, hidden } = net;
  const layer = (i: number): Record<string, readonly number[]> => {
    const at = `model.layers.${i}`;
    return {
      [`${at}.input_layernorm.weight`]: [width],
      [`${at}.post_attention_layernorm.weight`]: [width],
      [`${at}.self_attn.q_proj.weight`]: [heads * head, width],
      [`${at}.self_attn.k_proj.weight`]: [kv * head, width],
      [`${at}.self_attn.v_proj.weight`]: [kv * head, width],
      [`${at}.self_attn.o_proj.weight`]: [width, heads * head],
      ...(net.qkNorm && {
        [`${at}.self_attn.q_norm.weight`]: [head],
        [`${at}.self_attn.k_norm.weight`]: [head],
      }),
      [`${at}.mlp.gate_proj.weight`]: [hidden, width],
      [`${at}.mlp.up_proj.weight`]: [hidden, width],
      [`${at}.mlp.down_proj.weight`]: [width, hidden],
    };
  };
  return weightsOf({
    "model.embed_tokens.weight": [net.vocab, width],
    ...Object.assign({}, ...Array.from({ length: net.layers }, (_, i) => layer(i))),
    "model.norm.weight": [width],
    ...(!tied && { "lm_head.weight": [net.vocab, width] }),
  });
}

/** Its logits, [L, V]. */
export function llamaLogits(net: Llama, weights: Weights, tokens: readonly number[]): Rows {
  const { width, heads, kv, head: size, eps } = net;
  const vector = (name: string) => weights[`${name}.weight`]!.data;
  const table = vector("model.embed_tokens");
  let x: Rows = tokens.map((token) => table.slice(token * width, (token + 1) * width));
  for (let i = 0; i < net.layers; i++) {
    const at = `model.layers.${i}`;
    const h = rmsNorm(x, vector(`${at}.input_layernorm`), eps);
    const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) =>
      linear(h, weights, `${at}.self_attn.${name}`),
    );
    const turned = (all: Rows, head: number, name: string): Rows => {
      const own = columns(all, head * size, size);
      return rotate(net.qkNorm ? rmsNorm(own, vector(`${at}.self_attn.${name}`), eps) : own, net.base);
    };
    const mixed = Array.from({ length: heads }, (_, head) => {
      const shared = Math.floor((head * kv) / heads);
      const values = columns(v!, shared * size, size);
      return attend(turned(q!, head, "q_norm"), turned(k!, shared, "k_norm"), values, net.sees);
    });
    x = add(x, linear(beside(mixed), weights, `${at}.self_attn.o_proj`));
    const g = rmsNorm(x, vector(`${at}.post_attention_layernorm`), eps);
    const gate = each(linear(g, weights, `${at}.mlp.gate_proj`), silu);
    const up = linear(g, weights, `${at}.mlp.up_proj`);
    x = add(x, linear(multiply(gate, up), weights, `${at}.mlp.down_proj`));
  }
  const head = weights["lm_head.weight"] === undefined ? "model.embed_tokens" : "lm_head";
  return linear(rmsNorm(x, vector("model.norm"), eps), weights, head);
}
