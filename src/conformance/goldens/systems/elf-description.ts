// The description of a case of ELF: everything but the choice of a call follows from the shapes of the weights.

import { countWeights, firstTensor, type GoldenCase, numberOption, weightShape } from "../golden-case.js";

/** How upstream calls its network. */
export interface ElfCall {
  /** The self-conditioning guidance scale that it is told; undefined: no tokens for it. */
  readonly scale: number | undefined;
  /** Whether the input is [z, x_prev]. */
  readonly selfConditioned: boolean;
  /** When the mode tokens are not zeros. */
  readonly mode: "round" | "always" | "never";
}

export function describeElf(golden: GoldenCase, call: ElfCall): Record<string, unknown> {
  const shape = (name: string): readonly number[] => weightShape(golden, name) ?? [];
  const stored = (name: string): boolean => weightShape(golden, name) !== undefined;
  const [width = 1, dim = 1] = shape("proj_kernel");
  const times = grid(golden);
  const prefix = prefixGroups(golden, call);
  const timeTokens = shape("t_emb_tokens")[1] ?? 0;
  const mlp = (name: string) => ({
    features: { kind: "sinusoidal", dim: shape(`${name}.mlp_0.weight`)[1] },
    mlp: { dims: [shape(`${name}.mlp_0.weight`)[0], shape(`${name}.mlp_2.weight`)[0]] },
  });
  return {
    name: golden.id,
    state_space: {
      kind: "continuous_embedding",
      vocab_size: shape("unembed_kernel")[1],
      seq_len: firstTensor(golden, "in.z", "draw.z_init")?.shape[1] ?? numberOption(golden, "max_length"),
    },
    embedding: {
      dim,
      in_proj: [
        { out: shape("text_proj.proj1.weight")[0], bias: stored("text_proj.proj1.bias") },
        { out: width, bias: stored("text_proj.proj2.bias") },
      ],
      prefix: prefix.map(({ group }) =>
        group.kind === "number" ? { ...group, ...mlp("self_cond_cfg_embedder") } : group,
      ),
    },
    noise_schedule: { family: "flow", noise_scale: numberOption(golden, "noise_scale") ?? 2 },
    timesteps: { kind: "table", values: times.slice(0, -1).map((t) => 1 - t) },
    time_conditioning: { injection: "prefix_tokens", tokens: timeTokens, ...mlp("t_embedder") },
    prediction_type: {
      x0_from: "direct",
      final_norm: norm,
      out_proj: [{ out: dim, bias: stored("final_layer.linear.bias") }],
    },
    self_conditioning: call.selfConditioned
      ? { combine: "concat_linear", bias: stored("self_cond_proj.bias") }
      : { combine: "none" },
    blocks: {
      repeat: countWeights(golden, "blocks.", ".attn.qkv.weight"),
      norm,
      mixer: {
        kind: "attention",
        heads: numberOption(golden, "num_heads", "heads", "n_heads"),
        rope: {
          kind: "rotary",
          layout: "pair",
          base: numberOption(golden, "rope_base", "rope_theta") ?? 10000,
          skip: prefix.reduce((sum, { group }) => sum + group.tokens, timeTokens),
        },
        ...(stored("blocks.0.attn.q_norm.weight") && { qk_norm: norm }),
        bias: { qkv: stored("blocks.0.attn.qkv.bias"), out: stored("blocks.0.attn.proj.bias") },
      },
      ffn: {
        kind: "glu",
        hidden: shape("blocks.0.mlp.w3.weight")[1],
        activation: "silu",
        fused: true,
        bias: { up: stored("blocks.0.mlp.w12.bias"), down: stored("blocks.0.mlp.w3.bias") },
      },
    },
    // The rows of the unembedding are as wide as the state: they serve as the table that ELF itself does not have.
    rounding_head: {
      kind: "linear",
      reads: "trunk",
      tied: true,
      layers: [{ out: dim, activation: "gelu_tanh" }],
    },
    sampler: {
      kind: "flow",
      churn: golden.options.get("method") === "sde" ? (numberOption(golden, "sde_gamma") ?? 0) : 0,
      t_eps: numberOption(golden, "t_eps") ?? 0.05,
    },
    weights: { file: golden.weightsFile, map: weightMap(golden, call, prefix), ignore: unread(golden, call) },
  };
}

const norm = { kind: "rms", affine: "weight", eps: 1e-6 };

/** Upstream's times, noisy 0 to clean 1. */
export function grid(golden: GoldenCase): readonly number[] {
  const given = firstTensor(golden, "draw.t_steps");
  if (given !== undefined) return [...given.data];
  const count = numberOption(golden, "N") ?? 1;
  return Array.from({ length: count + 1 }, (_, i) => i / count);
}

/** Groups of prefix tokens behind the time's, with upstream's name of their tokens. */
function prefixGroups(golden: GoldenCase, { scale, mode }: ElfCall) {
  const tokens = (name: string): number => weightShape(golden, name)?.[1] ?? 0;
  const groups = [
    ...(scale === undefined
      ? []
      : [
          {
            from: "self_cond_cfg_tokens",
            group: { kind: "number", tokens: tokens("self_cond_cfg_tokens"), value: scale },
          },
        ]),
    { from: "mode_tokens", group: { kind: "mode", tokens: tokens("mode_tokens"), active: mode } },
  ];
  return groups.filter(({ group }) => group.tokens > 0);
}

function unread(golden: GoldenCase, { scale, selfConditioned, mode }: ElfCall): string[] {
  const names = [
    ...(scale === undefined ? ["self_cond_cfg_tokens", "self_cond_cfg_embedder.*"] : []),
    ...(selfConditioned ? [] : ["self_cond_proj.*"]),
    ...(mode === "never" ? ["mode_tokens"] : []),
  ];
  const all = golden.weights?.names() ?? [];
  return names.filter((name) => all.some((one) => one.startsWith(name.replace("*", ""))));
}

function weightMap(
  golden: GoldenCase,
  call: ElfCall,
  prefix: ReturnType<typeof prefixGroups>,
): Record<string, unknown> {
  const layers: readonly (readonly [string, string])[] = [
    ...(call.selfConditioned ? [["self_conditioning", "self_cond_proj"] as const] : []),
    ["embedding.in_proj.0", "text_proj.proj1"],
    ["embedding.in_proj.1", "text_proj.proj2"],
    ["time.mlp.0", "t_embedder.mlp_0"],
    ["time.mlp.1", "t_embedder.mlp_2"],
    ["blocks.{i}.norm1", "blocks.{i}.norm1"],
    ["blocks.{i}.norm2", "blocks.{i}.norm2"],
    ["blocks.{i}.mixer.qkv", "blocks.{i}.attn.qkv"],
    ["blocks.{i}.mixer.q_norm", "blocks.{i}.attn.q_norm"],
    ["blocks.{i}.mixer.k_norm", "blocks.{i}.attn.k_norm"],
    ["blocks.{i}.mixer.out_proj", "blocks.{i}.attn.proj"],
    ["blocks.{i}.ffn.gate_up", "blocks.{i}.mlp.w12"],
    ["blocks.{i}.ffn.down", "blocks.{i}.mlp.w3"],
    ["final_norm", "final_layer.norm_final"],
    ["out_proj.0", "final_layer.linear"],
    ...prefix.flatMap(({ group }, k): (readonly [string, string])[] =>
      group.kind === "number"
        ? [
            [`embedding.prefix.${k}.mlp.0`, "self_cond_cfg_embedder.mlp_0"],
            [`embedding.prefix.${k}.mlp.1`, "self_cond_cfg_embedder.mlp_2"],
          ]
        : [],
    ),
  ];
  const pairs = layers.flatMap(([canonical, from]) =>
    ["weight", "bias"]
      .filter((part) => weightShape(golden, `${from.replace("{i}", "0")}.${part}`) !== undefined)
      .map((part): [string, unknown] => [`${canonical}.${part}`, `${from}.${part}`]),
  );
  const turned = (from: string) => ({ from, transforms: [{ kind: "transpose" }] });
  const row = (from: string) => ({ from, transforms: [{ kind: "squeeze", axes: [0] }] });
  return {
    ...Object.fromEntries(pairs),
    "embedding.table": turned("unembed_kernel"),
    "head.bias": "unembed_bias",
    "head.layers.0.weight": turned("proj_kernel"),
    "head.layers.0.bias": "proj_bias",
    "time.tokens": row("t_emb_tokens"),
    ...Object.fromEntries(
      prefix.flatMap(({ from, group }, k) =>
        group.kind === "mode" && call.mode === "never" ? [] : [[`embedding.prefix.${k}.tokens`, row(from)]],
      ),
    ),
  };
}
