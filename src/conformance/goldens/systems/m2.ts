// M2-BERT: the sequence mixer alone (MonarchMixerSequenceMixing) and one whole layer (BertLayer). The mixer's
// weights have the prefix "attention." in a layer and none alone.

import { type BothGraphs, floats, load, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import {
  firstTensor,
  flagOption,
  type GoldenCase,
  type GoldenTensor,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { firstOfLast, realSpectrum, swapLastAxes } from "../layout.js";
import { type Probes, probesOf } from "../probes.js";
import { filterDescription, filterWeights, hasReverse, vector, type WeightMap } from "./implicit-filter.js";
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
export function describeM2Mixer(golden: GoldenCase): Record<string, unknown> {
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
export function describeM2Layer(golden: GoldenCase): Record<string, unknown> {
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
  const layer = prefix !== "";
  const description = layer ? describeM2Layer(golden) : describeM2Mixer(golden);
  const model = load(description, work);
  const block = description.part === "block";
  const name = block ? "block" : "mixer";
  const at = block ? "mixer." : "";
  const probes = probesOf(model.module, name);
  const found = {
    ...mixerProbes(probes, at),
    ...(layer && layerProbes(probes)),
    ...filterProbes(golden, probes, prefix),
  };
  const graph: BothGraphs = await openGraph(model, name, found, work);
  const input = inputOf(golden);
  const { reference, onnx } = await graph.run({ x: floats(input.shape, input.data) });
  await graph.dispose();
  const [batch, length, width] = input.shape as [number, number, number];
  const results: Computed[] = [{ name: "out", reference: reference.y!, onnx: onnx.y! }];
  const add = (
    tensor: string,
    change: (values: Float64Array) => Float64Array,
    expected?: Float64Array,
  ): void => {
    if (!hasTensor(golden, tensor) || reference[tensor] === undefined) return;
    results.push({
      name: tensor,
      reference: change(reference[tensor]),
      onnx: change(onnx[tensor]!),
      ...(expected && { expected }),
    });
  };
  const same = (values: Float64Array): Float64Array => values;
  const channelsFirst = (values: Float64Array): Float64Array =>
    swapLastAxes({ shape: [batch, length, values.length / (batch * length)], data: values }).data;
  for (const tensor of [
    "mid.in_linear",
    "mid.attention",
    "mid.mlp.gated_layers",
    "mid.mlp.wo",
    "mid.layernorm",
  ])
    add(tensor, same);
  for (const tensor of ["mid.long_conv_in", "mid.long_conv_out", "mid.residual_conv_out"])
    add(tensor, channelsFirst);
  // Upstream records Conv1d before it drops the positions after the last; those have no counterpart.
  if (hasTensor(golden, "mid.short_filter"))
    add("mid.short_filter", channelsFirst, firstOfLast(tensorOf(golden, "mid.short_filter"), length).data);
  for (const filter of ["filter_fn", "filter_fn2"]) {
    const taps = (
      direction: string,
      values: Readonly<Record<string, Float64Array>>,
    ): Float64Array | undefined => {
      const all = values[`mid.${filter}.${direction}`];
      return all && swapLastAxes({ shape: [length, width], data: all.slice(0, length * width) }).data;
    };
    for (const direction of ["k_fwd", "k_rev"])
      add(
        `mid.${filter}.${direction}`,
        (values) => taps(direction, { [`mid.${filter}.${direction}`]: values })!,
      );
    const spectrum = `mid.${filter}.K_hat`;
    if (!hasTensor(golden, spectrum)) continue;
    const whole = (values: Readonly<Record<string, Float64Array>>): Float64Array =>
      realSpectrum(combined(taps("k_fwd", values)!, taps("k_rev", values), length, width), 2 * length);
    results.push({ name: spectrum, reference: whole(reference), onnx: whole(onnx) });
  }
  return results;
}

function mixerProbes(probes: Probes, at: string) {
  const [short, main, residual] = probes.ops("long_conv");
  return {
    "mid.in_linear": probes.reading(`${at}in_proj.weight`),
    "mid.short_filter": probes.after(short?.results[0], "add"),
    "mid.long_conv_in": main?.operands[0],
    "mid.long_conv_out": main?.results[0],
    "mid.residual_conv_out": residual?.results[0],
    "mid.attention": probes.reading(`${at}out_proj.weight`),
    "mid.layernorm": probes.reading("norm1.weight"),
  };
}

/** Outputs of the two matrices of the MLP: the op that adds the bias, or the reshape behind the product. */
function layerProbes(probes: Probes) {
  return {
    "mid.mlp.wo": probes.reading("ffn.down.bias") ?? probes.reading("ffn.down.weight"),
    "mid.mlp.gated_layers": gatedLayers(probes),
  };
}

function gatedLayers(probes: Probes) {
  for (const name of ["ffn.gate_up.weight", "ffn.up.weight"]) {
    let value = probes.reading(name);
    // A block-diagonal product is [blocks, rows, width]: transpose, reshape and, where it was padded, slice follow.
    const product = value;
    for (const op of ["transpose", "reshape"]) value = probes.after(value, op);
    const result = value ?? product;
    if (result === undefined) continue;
    const cuts = probes.readersOf(result).filter((reader) => reader.name === "slice");
    return cuts.length === 1 ? cuts[0]!.results[0] : result;
  }
  return undefined;
}

/** Taps before they are put in order: network times window, forward then reverse, main filter then residual. */
function filterProbes(golden: GoldenCase, probes: Probes, prefix: string) {
  const found: Record<string, ReturnType<Probes["hinted"]>> = {};
  for (const [n, filter] of ["filter_fn", "filter_fn2"].entries()) {
    const [forward, reverse] = probes
      .readersOf(probes.hinted("window", n))
      .filter((op) => op.name === "mul")
      .map((op) => op.results[0]);
    found[`mid.${filter}.k_fwd`] = forward;
    if (hasReverse(golden, `${prefix}${filter}`)) found[`mid.${filter}.k_rev`] = reverse;
  }
  return found;
}

/** The kernel of length 2L as upstream puts it together: forward taps, then the reverse ones backwards; per channel. */
function combined(
  forward: Float64Array,
  reverse: Float64Array | undefined,
  length: number,
  width: number,
): Float64Array[] {
  return Array.from({ length: width }, (_, c) => {
    const row = new Float64Array(2 * length);
    row.set(forward.subarray(c * length, (c + 1) * length));
    if (reverse !== undefined) row.set(reverse.slice(c * length, (c + 1) * length).reverse(), length);
    return row;
  });
}
