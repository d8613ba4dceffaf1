// The Llama-shaped bidirectional networks of LLaDA and Dream: logits of in.tokens, values inside, and LLaDA's decoding
// driven by the whole network.

import type { LoadedModel } from "../../../api/load.js";
import { tensor } from "../../../ir/tensor.js";
import { disposeRunners, load, openGraph, tokenRunners } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import {
  countWeights,
  flagOption,
  type GoldenCase,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { probesOf } from "../probes.js";
import { lladaRuns } from "./llada-decode.js";
import { type GoldenSystem, isNamed } from "./system.js";

/** Upstream's names of one network's layers, `{i}` the block. */
interface Names {
  readonly blocks: string;
  readonly table: string;
  readonly head: string;
  readonly layers: readonly (readonly [canonical: string, stored: string])[];
  /** What upstream recorded inside, by the parameter whose reader gives it. */
  readonly inside: Readonly<Record<string, string>>;
}

const llada: Names = {
  blocks: "transformer.blocks.",
  table: "transformer.wte.weight",
  head: "transformer.ff_out",
  layers: [
    ["norm1", "attn_norm"],
    ["norm2", "ff_norm"],
    ["mixer.q", "q_proj"],
    ["mixer.k", "k_proj"],
    ["mixer.v", "v_proj"],
    ["mixer.out_proj", "attn_out"],
    ["ffn.gate", "ff_proj"],
    ["ffn.up", "up_proj"],
    ["ffn.down", "ff_out"],
  ],
  inside: { attn_norm: "norm1", attn_out: "mixer.out_proj" },
};

const dream: Names = {
  blocks: "model.layers.",
  table: "model.embed_tokens.weight",
  head: "lm_head",
  layers: [
    ["norm1", "input_layernorm"],
    ["norm2", "post_attention_layernorm"],
    ["mixer.q", "self_attn.q_proj"],
    ["mixer.k", "self_attn.k_proj"],
    ["mixer.v", "self_attn.v_proj"],
    ["mixer.out_proj", "self_attn.o_proj"],
    ["ffn.gate", "mlp.gate_proj"],
    ["ffn.up", "mlp.up_proj"],
    ["ffn.down", "mlp.down_proj"],
  ],
  inside: { self_attn: "mixer.out_proj" },
};

export const lladaNetwork: GoldenSystem = {
  name: "LLaDA",
  covers: (golden) => isNamed(golden, "llada") && weightShape(golden, llada.table) !== undefined,
  async compute(golden, work) {
    const open = async (length: number) => {
      const model = load(describe(golden, llada, length, "transformer.ln_f"), `${work}/${length}`);
      return tokenRunners(model, `${work}/${length}`);
    };
    return [
      ...(await network(golden, llada, "transformer.ln_f", work)),
      ...(await lladaRuns(golden, open, disposeRunners)),
    ];
  },
};

export const dreamNetwork: GoldenSystem = {
  name: "Dream",
  covers: (golden) => isNamed(golden, "dream") && weightShape(golden, dream.table) !== undefined,
  compute: (golden, work) => network(golden, dream, "model.norm", work),
};

function describe(
  golden: GoldenCase,
  names: Names,
  length: number,
  finalNorm: string,
  shift = 0,
): Record<string, unknown> {
  const [vocabulary = 1, width = 1] = weightShape(golden, names.table) ?? [];
  const repeat = countWeights(golden, names.blocks, `.${names.layers[2]![1]}.weight`);
  const part = (layer: string, name: string) => weightShape(golden, `${names.blocks}0.${layer}.${name}`);
  const heads = numberOption(golden, "n_heads", "num_attention_heads") ?? 1;
  const stored = (canonical: string) => names.layers.find(([name]) => name === canonical)![1];
  const headDim = numberOption(golden, "head_dim") ?? width / heads;
  const norm = {
    kind: "rms",
    affine: part(stored("norm1"), "bias") === undefined ? "weight" : "weight_bias",
    eps: numberOption(golden, "rms_norm_eps") ?? 1e-5,
  };
  const tied = weightShape(golden, `${names.head}.weight`) === undefined;
  const pairs = names.layers.flatMap(([canonical, name]) =>
    ["weight", "bias"]
      .filter((parameter) => part(name, parameter) !== undefined)
      .map((parameter) => [
        `blocks.{i}.${canonical}.${parameter}`,
        `${names.blocks}{i}.${name}.${parameter}`,
      ]),
  );
  const outer = [
    ["embedding.table", names.table],
    ...["weight", "bias"].flatMap((parameter) => [
      [`final_norm.${parameter}`, `${finalNorm}.${parameter}`],
      [`head.${parameter}`, `${names.head}.${parameter}`],
    ]),
  ].filter(([, name]) => weightShape(golden, name!) !== undefined);
  return {
    name: golden.id,
    state_space: {
      kind: "absorbing",
      vocab_size: vocabulary,
      mask_token_id: numberOption(golden, "mask_token_id") ?? vocabulary - 1,
      seq_len: length,
    },
    embedding: { dim: width },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 2 },
    prediction_type: { final_norm: norm, logit_shift: shift },
    blocks: {
      repeat,
      norm,
      mixer: {
        kind: "attention",
        heads,
        head_dim: headDim,
        kv_heads: (part(stored("mixer.k"), "weight")?.[0] ?? width) / headDim,
        projection: "separate",
        bias: {
          qkv: part(stored("mixer.q"), "bias") !== undefined,
          out: part(stored("mixer.out_proj"), "bias") !== undefined,
        },
        ...(flagOption(golden, "rope") !== false && {
          rope: { kind: "rotary", base: numberOption(golden, "rope_theta") ?? 10000 },
        }),
      },
      ffn: {
        kind: "glu",
        hidden: part(stored("ffn.up"), "weight")?.[0],
        activation: "silu",
        bias: {
          up: part(stored("ffn.up"), "bias") !== undefined,
          down: part(stored("ffn.down"), "bias") !== undefined,
        },
      },
    },
    rounding_head: {
      kind: "linear",
      tied,
      bias: weightShape(golden, `${names.head}.bias`) !== undefined,
    },
    sampler: { kind: "confidence" },
    weights: {
      file: golden.weightsFile,
      map: Object.fromEntries([...pairs, ...outer]),
      ignore: ["*.inv_freq"],
    },
  };
}

async function network(
  golden: GoldenCase,
  names: Names,
  finalNorm: string,
  work: string,
): Promise<Computed[]> {
  const tokens = tensorOf(golden, "in.tokens");
  const length = tokens.shape[1]!;
  const run = async (model: LoadedModel, probes: Parameters<typeof openGraph>[2], directory: string) => {
    const graph = await openGraph(model, "denoise", probes, directory);
    const outputs = await graph.run({ tokens: tensor("i32", tokens.shape, Float64Array.from(tokens.data)) });
    await graph.dispose();
    return outputs;
  };
  const model = load(describe(golden, names, length, finalNorm), `${work}/net`);
  const probes = probesOf(model.module, "denoise");
  const blocks = countWeights(golden, names.blocks, `.${names.layers[2]![1]}.weight`);
  const output = (layer: string) => probes.reading(`${layer}.bias`) ?? probes.reading(`${layer}.weight`);
  const inside = {
    [`mid.${finalNorm}`]: output("final_norm"),
    ...Object.fromEntries(
      Array.from({ length: blocks }, (_, i) => [
        [`mid.${names.blocks}${i}`, probes.hinted("residual", 2 * i + 1)] as const,
        ...Object.entries(names.inside).map(
          ([stored, canonical]) =>
            [`mid.${names.blocks}${i}.${stored}`, output(`blocks.${i}.${canonical}`)] as const,
        ),
      ]).flat(),
    ),
  };
  const outputs = await run(model, inside, `${work}/net`);
  const results: Computed[] = [
    { name: "out", ...mapEach(outputs, (values) => values.logits!) },
    ...Object.keys(inside).map((name) => ({ name, ...mapEach(outputs, (values) => values[name]!) })),
  ];
  if (hasTensor(golden, "out.shifted")) {
    const moved = load(describe(golden, names, length, finalNorm, 1), `${work}/shifted`);
    const shiftedOutputs = await run(moved, {}, `${work}/shifted`);
    results.push({ name: "out.shifted", ...mapEach(shiftedOutputs, (values) => values.logits!) });
  }
  return results.filter(({ name }) => hasTensor(golden, name));
}
