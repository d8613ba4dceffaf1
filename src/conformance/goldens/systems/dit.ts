// The adaLN transformer that LangFlow, MDLM, SEDD, BD3-LM and Duo share (DDiT), under a prefix of its parameter names.

import { countWeights, type GoldenCase, numberOption, weightShape } from "../golden-case.js";

export function ditNorm(golden: GoldenCase): Record<string, unknown> {
  return { kind: "layer", affine: "weight", eps: numberOption(golden, "norm_eps") ?? 1e-5 };
}

/** `input` is what the time features take. */
export function ditTime(golden: GoldenCase, prefix: string, input: string): Record<string, unknown> {
  const [first, features] = weightShape(golden, `${prefix}sigma_map.mlp.0.weight`) ?? [];
  const [condition] = weightShape(golden, `${prefix}sigma_map.mlp.2.weight`) ?? [];
  return {
    injection: "ada_ln",
    input,
    features: { kind: "sinusoidal", dim: features },
    mlp: { dims: [first, condition] },
  };
}

export function ditBlocks(golden: GoldenCase, prefix: string): Record<string, unknown> {
  const stored = (name: string): boolean => weightShape(golden, `${prefix}blocks.0.${name}`) !== undefined;
  const [hidden] = weightShape(golden, `${prefix}blocks.0.mlp.0.weight`) ?? [];
  return {
    repeat: countWeights(golden, `${prefix}blocks.`, ".attn_qkv.weight"),
    norm: ditNorm(golden),
    mixer: {
      kind: "attention",
      heads: numberOption(golden, "n_heads", "heads", "num_heads"),
      rope: { kind: "rotary", base: numberOption(golden, "rope_base", "rotary_base") ?? 10000 },
      bias: { qkv: stored("attn_qkv.bias"), out: stored("attn_out.bias") },
    },
    ffn: { kind: "dense", hidden, activation: "gelu_tanh" },
  };
}

/** Canonical parameter names and upstream's; each layer has a weight, some a bias. */
export function ditWeightMap(golden: GoldenCase, prefix: string): Record<string, string> {
  const layers: readonly (readonly [string, string])[] = [
    ["time.mlp.0", "sigma_map.mlp.0"],
    ["time.mlp.1", "sigma_map.mlp.2"],
    ["blocks.{i}.norm1", "blocks.{i}.norm1"],
    ["blocks.{i}.norm2", "blocks.{i}.norm2"],
    ["blocks.{i}.ada_ln", "blocks.{i}.adaLN_modulation"],
    ["blocks.{i}.mixer.qkv", "blocks.{i}.attn_qkv"],
    ["blocks.{i}.mixer.out_proj", "blocks.{i}.attn_out"],
    ["blocks.{i}.ffn.up", "blocks.{i}.mlp.0"],
    ["blocks.{i}.ffn.down", "blocks.{i}.mlp.2"],
    ["final_norm", "output_layer.norm_final"],
    ["final_ada_ln", "output_layer.adaLN_modulation"],
    ["head", "output_layer.linear"],
  ];
  const pairs = layers.flatMap(([canonical, stored]) =>
    ["weight", "bias"]
      .filter((part) => weightShape(golden, `${prefix}${stored.replace("{i}", "0")}.${part}`) !== undefined)
      .map((part) => [`${canonical}.${part}`, `${prefix}${stored}.${part}`] as const),
  );
  return { "embedding.table": `${prefix}vocab_embed.embedding`, ...Object.fromEntries(pairs) };
}
