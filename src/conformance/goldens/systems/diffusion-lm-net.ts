// Diffusion-LM's whole network (TransformerNetModel2): the denoiser, the rounding head, and sampling from recorded
// noise to tokens.

import type { LoadedModel } from "../../../api/load.js";
import { samplerPlan } from "../../../api/sampler-source.js";
import type { SamplerPlan } from "../../../diffusion/index.js";
import type { StepRunner } from "../../../runtime/step-runner.js";
import { disposeRunners, floats, load, openGraph, runners } from "../backends.js";
import type { Computed } from "../compare.js";
import { type Each, mapEach, mapEachInTurn } from "../each.js";
import {
  firstTensor,
  flagOption,
  type GoldenCase,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { entry, joined } from "../layout.js";
import { probesOf } from "../probes.js";
import { replay } from "../trajectory.js";
import { clampOf, noiseSchedule, timeInput, timesteps, trainSteps } from "./diffusion-lm-noise.js";
import { type GoldenSystem, isNamed } from "./system.js";

const layers = "input_transformers.layer";

export const diffusionLmNetwork: GoldenSystem = {
  name: "Diffusion-LM network",
  covers: (golden) =>
    isNamed(golden, "diffusionlm") && weightShape(golden, "input_up_proj.0.weight") !== undefined,
  compute,
};

/** Names of transformers' activations; upstream's "gelu" is the exact one. */
const activations: Readonly<Record<string, string>> = {
  gelu: "gelu_erf",
  gelu_python: "gelu_erf",
  gelu_new: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  relu: "relu",
  silu: "silu",
  swish: "silu",
  tanh: "tanh",
};

function layerCount(golden: GoldenCase): number {
  let n = 0;
  while (weightShape(golden, `${layers}.${n}.intermediate.dense.weight`) !== undefined) n++;
  return n;
}

/** The description of a case. */
function describeDiffusionLm(golden: GoldenCase): Record<string, unknown> {
  const { options } = golden;
  const [vocabulary, width] = weightShape(golden, "word_embedding.weight") ?? [];
  const [hidden] = weightShape(golden, "input_up_proj.0.weight") ?? [];
  const [firstTime, features] = weightShape(golden, "time_embed.0.weight") ?? [];
  const [feedForward] = weightShape(golden, `${layers}.0.intermediate.dense.weight`) ?? [];
  const norm = { kind: "layer", eps: numberOption(golden, "layer_norm_eps") ?? 1e-12 };
  const steps = trainSteps(golden);
  const clamp = clampOf(options.get("clamp"));
  const nearest = numberOption(golden, "logits_mode") === 2;
  return {
    name: golden.id,
    state_space: {
      kind: "continuous_embedding",
      vocab_size: vocabulary,
      seq_len: tensorOf(golden, "in.x").shape[1],
    },
    embedding: {
      dim: width,
      in_proj: projection(golden, "input_up_proj"),
      positions: { kind: "learned", length: weightShape(golden, "position_embeddings.weight")?.[0] },
      norm,
    },
    noise_schedule: noiseSchedule(String(options.get("schedule") ?? "sqrt"), steps),
    timesteps: timesteps(options.get("spacing"), steps),
    time_conditioning: {
      injection: "additive",
      ...timeInput(flagOption(golden, "rescale_timesteps") ?? true, steps),
      features: { kind: "sinusoidal", dim: features },
      mlp: { dims: [firstTime, hidden] },
    },
    prediction_type: { out_proj: projection(golden, "output_down_proj"), final_norm: { kind: "none" } },
    blocks: {
      repeat: layerCount(golden),
      norm,
      placement: "post",
      mixer: { kind: "attention", heads: numberOption(golden, "num_attention_heads", "heads") },
      ffn: {
        kind: "dense",
        hidden: feedForward,
        activation: activations[String(options.get("hidden_act") ?? "gelu")] ?? options.get("hidden_act"),
      },
    },
    rounding_head: nearest ? { kind: "l2_nearest", clamp } : { kind: "linear", tied: true, clamp },
    sampler: samplerDescription(golden),
    weights: {
      file: golden.weightsFile,
      map: weightMap(nearest),
      ignore: ["lm_head.weight", "position_ids", ...(nearest ? ["lm_head.bias"] : [])],
    },
  };
}

/** Two linear layers with tanh between them. */
function projection(golden: GoldenCase, name: string): readonly Record<string, unknown>[] {
  const out = (k: number): number | undefined => weightShape(golden, `${name}.${k}.weight`)?.[0];
  return [{ out: out(0), activation: "tanh" }, { out: out(2) }];
}

function samplerDescription(golden: GoldenCase): Record<string, unknown> {
  const { options } = golden;
  if (/ddim/i.test(String(options.get("sampler") ?? options.get("loop"))))
    return { kind: "ddim", eta: numberOption(golden, "eta") ?? 0 };
  const large = /large/i.test(
    String(options.get("var") ?? options.get("variance") ?? options.get("model_var_type")),
  );
  return { kind: "ddpm", variance: large ? "fixed_large" : "fixed_small" };
}

/** Canonical layer names and upstream's. */
function weightMap(nearest: boolean): Record<string, unknown> {
  const attention = `${layers}.{i}.attention`;
  const pairs: readonly (readonly [string, string])[] = [
    ["embedding.in_proj.0", "input_up_proj.0"],
    ["embedding.in_proj.1", "input_up_proj.2"],
    ["embedding.norm", "LayerNorm"],
    ["time.mlp.0", "time_embed.0"],
    ["time.mlp.1", "time_embed.2"],
    ["blocks.{i}.mixer.out_proj", `${attention}.output.dense`],
    ["blocks.{i}.norm1", `${attention}.output.LayerNorm`],
    ["blocks.{i}.ffn.up", `${layers}.{i}.intermediate.dense`],
    ["blocks.{i}.ffn.down", `${layers}.{i}.output.dense`],
    ["blocks.{i}.norm2", `${layers}.{i}.output.LayerNorm`],
    ["out_proj.0", "output_down_proj.0"],
    ["out_proj.1", "output_down_proj.2"],
  ];
  const joinedRows = (part: string) => ({
    from: ["query", "key", "value"].map((name) => `${attention}.self.${name}.${part}`),
    transforms: [{ kind: "concat" }],
  });
  return {
    "embedding.table": "word_embedding.weight",
    "embedding.positions": "position_embeddings.weight",
    ...Object.fromEntries(
      pairs.flatMap(([canonical, stored]) =>
        ["weight", "bias"].map((part) => [`${canonical}.${part}`, `${stored}.${part}`]),
      ),
    ),
    "blocks.{i}.mixer.qkv.weight": joinedRows("weight"),
    "blocks.{i}.mixer.qkv.bias": joinedRows("bias"),
    ...(nearest ? {} : { "head.bias": "lm_head.bias" }),
  };
}

async function compute(golden: GoldenCase, work: string): Promise<readonly Computed[]> {
  const model = load(describeDiffusionLm(golden), work);
  const each = await runners(model, work);
  try {
    return [
      ...(await network(golden, model, work)),
      ...(await tables(golden, each)),
      ...(await sampling(golden, samplerPlan(model), each)),
    ];
  } finally {
    await disposeRunners(each);
  }
}

async function network(golden: GoldenCase, model: LoadedModel, work: string): Promise<Computed[]> {
  const probes = probesOf(model.module, "denoise");
  // Post-norm: one norm of the input, then two per block, behind the attention and behind the feed-forward network.
  const norms = probes.ops("layer_norm").map((op) => op.results[0]);
  const intermediate = {
    "mid.time_embed": probes.reading("time.mlp.1.weight"),
    "mid.input_up_proj": probes.reading("embedding.in_proj.1.weight"),
    "mid.LayerNorm": norms[0],
    ...Object.fromEntries(
      Array.from({ length: layerCount(golden) }, (_, i) => [
        [`mid.${layers}.${i}.attention`, norms[1 + 2 * i]],
        [`mid.${layers}.${i}`, norms[2 + 2 * i]],
      ]).flat(),
    ),
  };
  const graph = await openGraph(model, "denoise", intermediate, `${work}/denoise`);
  const x = tensorOf(golden, "in.x");
  const time = firstTensor(golden, "in.t", "in.timesteps")!.data;
  const rows = x.shape[0]!;
  const level = Float64Array.from({ length: rows }, (_, i) => time[time.length === 1 ? 0 : i]!);
  const outputs = await graph.run({ x: floats(x.shape, x.data), level: floats([rows], level) });
  await graph.dispose();
  return [["out", "x0"] as const, ...Object.keys(intermediate).map((name) => [name, name] as const)]
    .filter(([name, output]) => hasTensor(golden, name) && outputs.reference[output] !== undefined)
    .map(([name, output]) => ({ name, ...mapEach(outputs, (values) => values[output]!) }));
}

/** The rounding head on in.x and the embeddings of in.tokens. */
async function tables(golden: GoldenCase, each: Each<StepRunner>): Promise<Computed[]> {
  const results: Computed[] = [];
  const x = tensorOf(golden, "in.x");
  const batch = x.shape[0]!;
  if (hasTensor(golden, "out.head_logits")) {
    const logits = async (runner: StepRunner) => (await runner.round!(x.data, batch)).logits;
    results.push({ name: "out.head_logits", ...(await mapEachInTurn(each, logits)) });
  }
  if (hasTensor(golden, "out.embeds") && hasTensor(golden, "in.tokens")) {
    const tokens = tensorOf(golden, "in.tokens");
    const embed = (runner: StepRunner) => runner.embed(Int32Array.from(tokens.data), tokens.shape[0]!);
    results.push({ name: "out.embeds", ...(await mapEachInTurn(each, embed)) });
  }
  return results;
}

async function sampling(golden: GoldenCase, plan: SamplerPlan, each: Each<StepRunner>): Promise<Computed[]> {
  const start = firstTensor(golden, "draw.x_init");
  if (start === undefined) return [];
  const draws = firstTensor(golden, "draw.noise");
  const walk = (runner: StepRunner) =>
    replay(runner, {
      plan,
      batch: start.shape[0]!,
      start: start.data,
      ...(draws && { noise: (update: number) => entry(draws, update) }),
    });
  const walks = await mapEachInTurn(each, walk);
  // Upstream records the states after the steps; a case may have the initial one in front.
  const skipped = firstTensor(golden, "traj.x")?.shape[0] === plan.rows.length ? 1 : 0;
  const values: readonly (readonly [string, (walk: typeof walks.reference) => ArrayLike<number>])[] = [
    ["traj.x", ({ states }) => joined(states.slice(skipped))],
    ["traj.x0", ({ predictions }) => joined(predictions)],
    ["traj.head_logits", ({ logits }) => logits],
    ["out.tokens", ({ tokens }) => tokens],
  ];
  const results = values
    .filter(([name]) => hasTensor(golden, name))
    .map(
      ([name, of]): Computed => ({
        name,
        ...mapEach(walks, of),
        ...(name === "out.tokens" && { exact: true }),
      }),
    );
  return [...results, ...timestepMap(golden, plan)];
}

/** The visited indices in ascending order. */
export function timestepMap(
  golden: GoldenCase,
  plan: SamplerPlan,
  name = "traj.timestep_map",
): readonly Computed[] {
  if (!hasTensor(golden, name)) return [];
  return [{ name, reference: plan.rows.map(({ index }) => index ?? -1).reverse(), exact: true }];
}
