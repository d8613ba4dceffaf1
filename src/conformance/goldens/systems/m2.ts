// M2-BERT: the sequence mixer alone (MonarchMixerSequenceMixing) and one whole layer (BertLayer). The mixer's
// weights have the prefix "attention." in a layer and none alone.

import { floats, load, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import {
  firstTensor,
  flagOption,
  type GoldenCase,
  type GoldenTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { probesOf } from "../probes.js";
import { filterDescription, filterWeights, hasReverse, vector, type WeightMap } from "./implicit-filter.js";
import { intermediates, m2Probes } from "./m2-intermediates.js";
import type { GoldenSystem } from "./system.js";

export const m2Mixer: GoldenSystem = {
  name: "M2-BERT mixer",
  covers: (golden) => golden.system === "M2-BERT" && weightShape(golden, "in_linear.weight") !== undefined,
  compute: (golden, work) => compute(golden, work, ""),
};

export const m2Layer: GoldenSystem = {
  name: "M2-BERT layer",
  covers: (golden) =>
    golden.system === "M2-BERT" && weightShape(golden, "attention.in_linear.weight") !== undefined,
  compute: (golden, work) => compute(golden, work, "attention."),
};

type Map = Record<string, WeightMap[string]>;

function inputOf(golden: GoldenCase): GoldenTensor {
  return firstTensor(golden, "in.u", "in.x", "in.hidden_states", "in") ?? tensorOf(golden, "in.x");
}

/** The norm that hyena_training_additions puts in front of the mixer; its eps is PyTorch's default. */
function inputNorm(golden: GoldenCase, prefix: string): Record<string, unknown> | undefined {
  if (weightShape(golden, `${prefix}layernorm.weight`) === undefined) return undefined;
  return { kind: "layer", eps: 1e-5 };
}

function mixerDescription(golden: GoldenCase, prefix: string): Record<string, unknown> {
  const two = hasReverse(golden, `${prefix}filter_fn`) && flagOption(golden, "bidirectional") !== false;
  const span = two ? { span: "bidirectional", reverse_filter: "offset_lag1" } : { span: "causal" };
  const filter = (name: string) => ({ ...filterDescription(golden, `${prefix}${name}`), ...span });
  return {
    kind: "long_conv",
    gating: { kind: "pre_post" },
    short_conv: { kind: "depthwise", taps: weightShape(golden, `${prefix}short_filter.weight`)?.[2] },
    filter: filter("filter_fn"),
    ...(hasResidual(golden, prefix) && {
      residual_conv: { kind: "long_conv", filter: filter("filter_fn2") },
    }),
  };
}

function hasResidual(golden: GoldenCase, prefix: string): boolean {
  return weightShape(golden, `${prefix}filter_fn2.bias`) !== undefined;
}

/** `at` is the canonical prefix of the mixer's parameters. */
function mixerWeights(golden: GoldenCase, at: string, prefix: string): { map: Map; ignore: string[] } {
  const main = filterWeights(golden, `${at}filters.0`, `${prefix}filter_fn`);
  const map: Map = {
    [`${at}in_proj.weight`]: `${prefix}in_linear.weight`,
    [`${at}in_proj.bias`]: `${prefix}in_linear.bias`,
    [`${at}out_proj.weight`]: `${prefix}out_linear.weight`,
    [`${at}out_proj.bias`]: `${prefix}out_linear.bias`,
    [`${at}short_conv.weight`]: vector(`${prefix}short_filter.weight`, [1]),
    [`${at}short_conv.bias`]: `${prefix}short_filter.bias`,
    [`${at}skip.0`]: `${prefix}filter_fn.bias`,
    ...main.map,
  };
  const ignore = [...main.ignore];
  if (hasResidual(golden, prefix)) {
    const residual = filterWeights(golden, `${at}residual_conv.filter`, `${prefix}filter_fn2`);
    Object.assign(map, residual.map, { [`${at}residual_conv.skip`]: `${prefix}filter_fn2.bias` });
    ignore.push(...residual.ignore);
  }
  return { map, ignore };
}

/** The description of a mixer; with a norm in front it is a block that is nothing else. */
function describeM2Mixer(golden: GoldenCase): Record<string, unknown> {
  const [, length, width] = inputOf(golden).shape;
  const norm = inputNorm(golden, "");
  const mixer = mixerDescription(golden, "");
  const common = { name: golden.id, width, seq_len: length };
  const { map, ignore } = mixerWeights(golden, norm === undefined ? "" : "mixer.", "");
  const file = golden.weightsFile;
  if (norm === undefined) return { ...common, part: "mixer", mixer, weights: { file, map, ignore } };
  const norms = { "norm1.weight": "layernorm.weight", "norm1.bias": "layernorm.bias" };
  return {
    ...common,
    part: "block",
    block: { norm, mixer_branch: { placement: "pre", residual: false }, mixer, ffn: { kind: "none" } },
    weights: { file, map: { ...map, ...norms }, ignore },
  };
}

/** The description of a layer: the mixer without residual, then norm(h + MLP(h)). */
function describeM2Layer(golden: GoldenCase): Record<string, unknown> {
  const [, length, width] = inputOf(golden).shape;
  const up = weightShape(golden, "mlp.gated_layers.weight") ?? [];
  const blocks = up.length === 3 ? up[0] : undefined;
  const upWidth = numberOption(golden, "intermediate_size", "intermediate");
  const gated =
    flagOption(golden, "use_glu_mlp") ?? (up.length === 3 ? up[0]! * up[1]! : up[0]!) >= 2 * (upWidth ?? 0);
  const hidden = upWidth ?? (up.length === 2 ? up[0]! / (gated ? 2 : 1) : undefined);
  const names = gated ? ["ffn.gate_up", "ffn.down"] : ["ffn.up", "ffn.down"];
  const { map, ignore } = mixerWeights(golden, "mixer.", "attention.");
  const norm = inputNorm(golden, "attention.");
  for (const [canonical, stored] of [
    [names[0]!, "mlp.gated_layers"],
    [names[1]!, "mlp.wo"],
    ["norm2", "mlp.layernorm"],
    ...(norm === undefined ? [] : [["norm1", "attention.layernorm"]]),
  ] as const)
    for (const part of ["weight", "bias"])
      if (weightShape(golden, `${stored}.${part}`) !== undefined)
        map[`${canonical}.${part}`] = `${stored}.${part}`;
  return {
    name: golden.id,
    part: "block",
    width,
    seq_len: length,
    block: {
      norm: { kind: "layer", eps: numberOption(golden, "layer_norm_eps") ?? 1e-12 },
      placement: "post",
      mixer_branch:
        norm === undefined
          ? { placement: "none", residual: false }
          : { placement: "pre", residual: false, norm },
      mixer: mixerDescription(golden, "attention."),
      ffn: {
        kind: gated ? "glu" : "dense",
        hidden,
        activation: "gelu_erf",
        ...(gated && { fused: true }),
        bias: {
          up: weightShape(golden, "mlp.gated_layers.bias") !== undefined,
          down: weightShape(golden, "mlp.wo.bias") !== undefined,
        },
        structure: blocks === undefined ? { kind: "dense" } : { kind: "block_diagonal", blocks },
      },
    },
    weights: { file: golden.weightsFile, map, ignore },
  };
}

async function compute(golden: GoldenCase, work: string, prefix: string): Promise<readonly Computed[]> {
  const description = prefix === "" ? describeM2Mixer(golden) : describeM2Layer(golden);
  const model = load(description, work);
  const name = description.part === "block" ? "block" : "mixer";
  const probes = m2Probes(golden, probesOf(model.module, name), name === "block" ? "mixer." : "", prefix);
  const graph = await openGraph(model, name, probes, work);
  const input = inputOf(golden);
  const outputs = await graph.run({ x: floats(input.shape, input.data) });
  await graph.dispose();
  return [
    { name: "out", ...mapEach(outputs, (values) => values.y!) },
    ...intermediates(golden, outputs, input.shape as [number, number, number]),
  ];
}
