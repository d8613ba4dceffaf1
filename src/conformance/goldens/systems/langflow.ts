// LangFlow: the network with and without self-conditioning, forward noising, the Gumbel schedule and the whole
// sampler from its initial noise to its tokens.

import type { LoadedModel } from "../../../api/load.js";
import { samplerParts, samplerPlan } from "../../../api/sampler-source.js";
import {
  levelFromGamma,
  priorScale,
  resolveGrid,
  resolveSchedule,
  type SamplerPlan,
} from "../../../diffusion/index.js";
import type { StepRunner } from "../../../runtime/step-runner.js";
import { disposeRunners, floats, load, openGraph, runners } from "../backends.js";
import type { Computed } from "../compare.js";
import { type Each, mapEach, mapEachInTurn } from "../each.js";
import {
  countWeights,
  firstTensor,
  flagOption,
  type GoldenCase,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { joined } from "../layout.js";
import { probesOf } from "../probes.js";
import { replay } from "../trajectory.js";
import { ditBlocks, ditNorm, ditTime, ditWeightMap } from "./dit.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const langflow: GoldenSystem = {
  name: "LangFlow",
  covers: (golden) =>
    isNamed(golden, "langflow") && weightShape(golden, "backbone.vocab_embed.embedding") !== undefined,
  compute,
};

/** Tensors of the checkpoint that the network does not read: they follow from the sizes, or log training. */
const unused = ["backbone.rotary_emb.inv_freq", "proposal.*"];

/** The description of a case for texts of a length. */
function describeLangflow(golden: GoldenCase, length: number): Record<string, unknown> {
  const [vocabulary, width = 1] = weightShape(golden, "backbone.vocab_embed.embedding") ?? [];
  const constant = (name: string) =>
    weightShape(golden, `proposal.${name}`) === undefined
      ? numberOption(golden, `gumbel_${name}`)
      : { from: `proposal.${name}` };
  const stored = (name: string): boolean => weightShape(golden, `backbone.${name}`) !== undefined;
  return {
    name: golden.id,
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: length },
    embedding: {
      dim: width,
      normalization: flagOption(golden, "use_normalized_embedding") === false ? "none" : "unit_sqrt_d",
    },
    noise_schedule: {
      family: "gumbel_quantile",
      loc: constant("loc"),
      scale: constant("scale"),
      cutoff: numberOption(golden, "gumbel_cutoff"),
    },
    timesteps: { kind: "quantile", num_steps: stepsOf(golden) },
    time_conditioning: ditTime(golden, "backbone.", "gamma"),
    prediction_type: {
      x0_from: "softmax_embedding",
      prior_skip: flagOption(golden, "use_bias") === false ? "none" : "alpha_over_sigma2",
      final_norm: ditNorm(golden),
    },
    self_conditioning: stored("self_cond_proj.weight")
      ? { combine: "residual_concat_linear", bias: stored("self_cond_proj.bias") }
      : { combine: "none" },
    blocks: ditBlocks(golden, "backbone."),
    rounding_head: { kind: "linear", bias: stored("output_layer.linear.bias") },
    sampler: { kind: "ddim", eta: 0, final: "denoise" },
    weights: {
      file: golden.weightsFile,
      map: { ...ditWeightMap(golden, "backbone."), ...selfCondition(golden) },
      ignore: unused,
    },
  };
}

function selfCondition(golden: GoldenCase): Record<string, string> {
  return Object.fromEntries(
    ["weight", "bias"]
      .filter((part) => weightShape(golden, `backbone.self_cond_proj.${part}`) !== undefined)
      .map((part) => [`self_conditioning.${part}`, `backbone.self_cond_proj.${part}`]),
  );
}

function stepsOf(golden: GoldenCase): number {
  const grid = firstTensor(golden, "traj.gamma")?.shape[0];
  return grid ?? numberOption(golden, "N", "num_steps") ?? 1;
}

async function compute(golden: GoldenCase, work: string): Promise<readonly Computed[]> {
  // The one call and the sampler may have texts of other lengths.
  const [one, run] = ["in.z", "draw.z_init"].map((name) => firstTensor(golden, name)?.shape[1]);
  const length = one ?? run ?? numberOption(golden, "L", "model_length") ?? 1;
  return [
    ...(await atLength(golden, length, `${work}/${length}`, run === length ? ["call", "run"] : ["call"])),
    ...(run === undefined || run === length ? [] : await atLength(golden, run, `${work}/${run}`, ["run"])),
  ];
}

async function atLength(
  golden: GoldenCase,
  length: number,
  work: string,
  wanted: readonly ("call" | "run")[],
): Promise<Computed[]> {
  const model = load(describeLangflow(golden, length), work);
  const each = await runners(model, work);
  const results: Computed[] = [];
  try {
    if (wanted.includes("call"))
      results.push(
        ...(await network(golden, model, work)),
        ...(await noising(golden, each)),
        ...schedule(golden, model),
      );
    if (wanted.includes("run")) results.push(...(await sampling(golden, samplerPlan(model), each)));
    return results;
  } finally {
    await disposeRunners(each);
  }
}

/** @denoise at in.z, in.gamma with and without the previous prediction. */
async function network(golden: GoldenCase, model: LoadedModel, work: string): Promise<Computed[]> {
  const z = tensorOf(golden, "in.z");
  const gamma = tensorOf(golden, "in.gamma").data;
  const rows = z.shape[0]!;
  const perRow = Float64Array.from({ length: rows }, (_, i) => gamma[gamma.length === 1 ? 0 : i]!);
  const probes = probesOf(model.module, "denoise");
  const blocks = countWeights(golden, "backbone.blocks.", ".attn_qkv.weight");
  const intermediate = {
    // Upstream's module ends before the last SiLU.
    "mid.backbone.sigma_map": probes.reading("time.mlp.1.weight"),
    "mid.backbone.output_layer": probes.reading("head.weight"),
    "mid.E_normalized": probes.hinted("embeddings"),
    ...Object.fromEntries(
      Array.from({ length: blocks }, (_, i) => [
        `mid.backbone.blocks.${i}`,
        // Two residual sums per block, the second its output.
        probes.hinted("residual", 2 * i + 1),
      ]),
    ),
  };
  const graph = await openGraph(model, "denoise", intermediate, `${work}/denoise`);
  const selfConditioned = weightShape(golden, "backbone.self_cond_proj.weight") !== undefined;
  const call = (previous: Float64Array) =>
    graph.run({
      x: floats(z.shape, z.data),
      level: floats([rows], perRow),
      prior_scale: floats(
        [rows],
        perRow.map((g) => priorScale(levelFromGamma(g))),
      ),
      ...(selfConditioned && { self_cond: floats(z.shape, previous) }),
    });
  const zeros = new Float64Array(z.data.length);
  const given = firstTensor(golden, "in.x_self_cond", "in.x_sc");
  const off = await call(zeros);
  const on = given === undefined ? off : await call(given.data);
  await graph.dispose();
  const results: Computed[] = [];
  const add = (name: string, from: Each<Readonly<Record<string, Float64Array>>>, output: string): void => {
    if (hasTensor(golden, name) && from.reference[output] !== undefined)
      results.push({ name, ...mapEach(from, (values) => values[output]!) });
  };
  add("out", on, "logits");
  add("out.logits_sc_off", off, "logits");
  add("out.x0", on, "x0");
  for (const name of Object.keys(intermediate)) add(name, on, name);
  return results;
}

/** z = alpha E[token] + sigma noise at in.gamma, the embeddings from @embed. */
async function noising(golden: GoldenCase, each: Each<StepRunner>): Promise<Computed[]> {
  if (!hasTensor(golden, "out.q_sample") || !hasTensor(golden, "in.tokens")) return [];
  const gamma = tensorOf(golden, "in.gamma").data;
  const { data: noise, shape } = tensorOf(golden, "draw.q_noise");
  const tokens = Int32Array.from(tensorOf(golden, "in.tokens").data);
  const perRow = noise.length / shape[0]!;
  const noised = async (runner: StepRunner): Promise<Float64Array> => {
    const embedded = await runner.embed(tokens, shape[0]!);
    return noise.map((value, at) => {
      const row = gamma.length === 1 ? 0 : Math.floor(at / perRow);
      const { alphaBar, sigma2 } = levelFromGamma(gamma[row]!);
      return Math.sqrt(alphaBar) * embedded[at]! + Math.sqrt(sigma2) * value;
    });
  };
  return [{ name: "out.q_sample", ...(await mapEachInTurn(each, noised)) }];
}

/** The quantile grid and the levels at its quantiles. */
function schedule(golden: GoldenCase, model: LoadedModel): Computed[] {
  const quantiles = firstTensor(golden, "sched.q")?.data;
  const source = samplerParts(model);
  if (quantiles === undefined || source === undefined) return [];
  const resolved = resolveSchedule(source.parts.noise_schedule, source.constants);
  const grid = resolveGrid({ kind: "quantile", num_steps: quantiles.length }, resolved);
  const levels = grid.map(({ t, level }, i) =>
    resolved.kind === "continuous" && t !== quantiles[i] ? resolved.at(quantiles[i]!) : level,
  );
  const columns: Readonly<Record<string, readonly number[]>> = {
    "sched.q": grid.map(({ t }) => t),
    "sched.gamma": levels.map(({ gamma }) => gamma),
    "sched.alpha": levels.map(({ alphaBar }) => Math.sqrt(alphaBar)),
    "sched.sigma": levels.map(({ sigma2 }) => Math.sqrt(sigma2)),
    "sched.c_skip": levels.map(priorScale),
  };
  return Object.entries(columns)
    .filter(([name]) => hasTensor(golden, name))
    .map(([name, reference]) => ({ name, table: true, reference }));
}

/** The sampler from draw.z_init to its tokens. */
async function sampling(golden: GoldenCase, plan: SamplerPlan, each: Each<StepRunner>): Promise<Computed[]> {
  const start = firstTensor(golden, "draw.z_init");
  if (start === undefined) return [];
  const batch = start.shape[0]!;
  const points = [...plan.rows, ...(plan.finalRow === undefined ? [] : [plan.finalRow])];
  const walk = async (runner: StepRunner) => {
    const previousX0 = new Float64Array(start.data.length);
    const fixedMask = new Uint8Array(batch * runner.length);
    const first = await runner.denoise?.({ batch, x: start.data, previousX0, fixedMask, point: points[0]! });
    return { ...(await replay(runner, { plan, batch, start: start.data })), first: first?.logits };
  };
  const walks = await mapEachInTurn(each, walk);
  type Walk = typeof walks.reference;
  const values: readonly (readonly [string, (walk: Walk) => ArrayLike<number> | undefined])[] = [
    ["traj.z", ({ states }) => joined(states)],
    ["traj.x0", ({ predictions }) => joined(predictions)],
    ["traj.logits_first", ({ first }) => first],
    ["traj.logits_last", ({ logits }) => logits],
    ["out.tokens", ({ tokens }) => tokens],
  ];
  const results = values.flatMap(([name, of]): Computed[] => {
    if (!hasTensor(golden, name) || of(walks.reference) === undefined) return [];
    return [{ name, ...mapEach(walks, (one) => of(one)!), ...(name === "out.tokens" && { exact: true }) }];
  });
  if (hasTensor(golden, "traj.gamma"))
    results.push({ name: "traj.gamma", table: true, reference: points.map(({ gamma }) => gamma) });
  return results;
}
