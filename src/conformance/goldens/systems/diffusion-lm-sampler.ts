// Diffusion-LM's samplers around a stub network: p_sample and ddim_sample with recorded noise, the rounding clamp,
// infilling, and the pieces of the posterior. The stub is computed here in float64 from what a back end's state is;
// the update is that back end's @update.

import type { LoadedModel } from "../../../api/load.js";
import { samplerPlan } from "../../../api/sampler-source.js";
import type { SamplerPlan, SamplerRow } from "../../../diffusion/index.js";
import type { StepRunner } from "../../../runtime/step-runner.js";
import { floats, load, openGraph, type RunGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach, mapEachInTurn } from "../each.js";
import { firstTensor, type GoldenCase, hasTensor, tensorOf, weightShape } from "../golden-case.js";
import { entry, joined } from "../layout.js";
import { probesOf } from "../probes.js";
import { replay, type Trajectory } from "../trajectory.js";
import { timestepMap } from "./diffusion-lm-net.js";
import { clampOf, noiseSchedule, timeInput, timesteps, trainSteps } from "./diffusion-lm-noise.js";
import {
  infilling,
  optionOf,
  respacedTable,
  stub,
  type Variant,
  variantsOf,
} from "./diffusion-lm-variant.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const diffusionLmSampler: GoldenSystem = {
  name: "Diffusion-LM sampler",
  covers: (golden) => isNamed(golden, "diffusionlm") && weightShape(golden, "stub.W") !== undefined,
  compute,
};

/** The description of one variant. */
function describeSampler(golden: GoldenCase, variant: Variant): Record<string, unknown> {
  const steps = trainSteps(golden);
  const [vocabulary, width] = weightShape(golden, "emb.weight") ?? [];
  const clamp = clampOf(optionOf(golden, variant, "clamp"));
  const large = /large/i.test(String(optionOf(golden, variant, "var")));
  const ddim = /ddim/i.test(String(variant.loop));
  const rescaled = optionOf(golden, variant, "rescale_timesteps");
  return {
    name: `${golden.id}-${variant.name}`,
    part: "sampler",
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: lengthOf(golden) },
    embedding: { dim: width },
    noise_schedule: noiseSchedule(String(optionOf(golden, variant, "schedule") ?? "sqrt"), steps),
    timesteps: timesteps(optionOf(golden, variant, "spacing"), steps),
    time_conditioning: { injection: "additive", ...timeInput(rescaled !== false, steps) },
    rounding_head: { kind: "l2_nearest", clamp },
    sampler: ddim
      ? { kind: "ddim", eta: Number(variant.eta ?? 0) }
      : { kind: "ddpm", variance: large ? "fixed_large" : "fixed_small" },
    weights: {
      file: golden.weightsFile,
      map: clamp === "none" ? {} : { "embedding.table": "emb.weight" },
      ignore: ["stub.*", ...(clamp === "none" ? ["emb.weight"] : [])],
    },
  };
}

function lengthOf(golden: GoldenCase): number {
  const drawn = golden.tensors.names().find((name) => /^draw\..*x_init$/.test(name));
  return drawn === undefined ? tensorOf(golden, "in.q.x_start").shape[1]! : tensorOf(golden, drawn).shape[1]!;
}

async function compute(golden: GoldenCase, work: string): Promise<readonly Computed[]> {
  const results: Computed[] = [];
  for (const variant of variantsOf(golden)) {
    if (!hasTensor(golden, `traj.${variant.name}.x`)) continue;
    results.push(...(await runVariant(golden, variant, `${work}/${variant.name}`)));
  }
  const pieces = load(describeSampler(golden, { name: "pieces", loop: "p" }), `${work}/pieces`);
  results.push(...(await posterior(golden, pieces, `${work}/pieces`)));
  return [...results, ...timestepMap(golden, samplerPlan(pieces))];
}

async function runVariant(golden: GoldenCase, variant: Variant, work: string): Promise<Computed[]> {
  const model = load(describeSampler(golden, variant), work);
  const plan = samplerPlan(model);
  const update = await openGraph(
    model,
    "update",
    { nearest: probesOf(model.module, "update").hinted("nearest") },
    work,
  );
  const walk = (run: RunGraph): Promise<Trajectory> => walkVariant(golden, variant, plan, run);
  const walks = await mapEachInTurn(update.each, walk);
  await update.dispose();
  const at = `traj.${variant.name}`;
  // The states are recorded with the initial one in front; a case without it has one entry per step.
  const skipped = tensorOf(golden, `${at}.x`).shape[0] === plan.rows.length ? 1 : 0;
  const values: readonly (readonly [string, boolean, (walk: Trajectory) => ArrayLike<number>])[] = [
    ["x", false, ({ states }) => joined(states.slice(skipped))],
    ["x0", false, ({ predictions }) => joined(predictions)],
    ["rounded_index", true, ({ choices }) => joined(choices)],
  ];
  const results = values
    .filter(([name]) => hasTensor(golden, `${at}.${name}`))
    .map(([name, exact, of]): Computed => {
      return { name: `${at}.${name}`, ...mapEach(walks, of), exact };
    });
  if (hasTensor(golden, `${at}.t_fed`))
    results.push({ name: `${at}.t_fed`, table: true, reference: plan.rows.map(({ level }) => level) });
  return [...results, ...timestepMap(golden, plan, `${at}.timestep_map`)];
}

async function walkVariant(
  golden: GoldenCase,
  variant: Variant,
  plan: SamplerPlan,
  update: RunGraph,
): Promise<Trajectory> {
  const start = tensorOf(golden, `draw.${variant.name}.x_init`);
  const draws = firstTensor(golden, `draw.${variant.name}.noise`);
  const [batch, length, width] = start.shape as [number, number, number];
  const given = infilling(golden, variant, batch * length);
  const network = stub(golden, variant, { length, width, respaced: respacedTable(golden, variant, plan) });
  // At given positions the loop's tokens are the given ones; upstream records the rows that it rounded to.
  const rounded: Int32Array[] = [];
  const runner: StepRunner = {
    length,
    dim: width,
    vocabulary: weightShape(golden, "emb.weight")?.[0] ?? 2,
    // Infilling gives clean embeddings, which need not be those of tokens.
    embed: async () => given?.embeddings ?? new Float64Array(start.data.length),
    async step({ x, noise, row }) {
      const outputs = await update({
        x0: floats(start.shape, network(x, row)),
        x: floats(start.shape, x),
        noise: floats(start.shape, noise),
        coefficients: floats([4], [row.a, row.b, row.c, row.s]),
      });
      const tokens = Int32Array.from(outputs.nearest ?? new Float64Array(batch * length));
      rounded.push(tokens);
      return { x: outputs.x_next!, x0: outputs.clamped!, tokens };
    },
    round: async () => ({ logits: new Float64Array(), tokens: new Int32Array(batch * length) }),
    async dispose() {},
  };
  const walk = await replay(runner, {
    plan,
    batch,
    start: start.data,
    ...(draws && { noise: (k: number) => entry(draws, k) }),
    ...(given && { fixed: { tokens: new Int32Array(batch * length), mask: given.mask } }),
  });
  return { ...walk, choices: rounded };
}

/** q(x_t | x_0) and q(x_(t-1) | x_t, x_0) at respaced indices in.q.t, through @update row by row. */
async function posterior(golden: GoldenCase, model: LoadedModel, work: string): Promise<Computed[]> {
  if (!hasTensor(golden, "in.q.t")) return [];
  const plan = samplerPlan(model);
  const start = tensorOf(golden, "in.q.x_start");
  const rows = Array.from(tensorOf(golden, "in.q.t").data, (t) => plan.rows[plan.rows.length - 1 - t]!);
  const update = await openGraph(model, "update", {}, work);
  const each = async (
    run: RunGraph,
    second: string,
    coefficients: (row: SamplerRow) => readonly number[],
  ): Promise<Float64Array> => {
    const shape = [1, ...start.shape.slice(1)];
    const zeros = new Float64Array(start.data.length / rows.length);
    const given = (name: string, i: number) =>
      hasTensor(golden, `in.q.${name}`) ? entry(tensorOf(golden, `in.q.${name}`), i) : zeros;
    const parts = [];
    for (const [i, row] of rows.entries()) {
      const { x_next: next } = await run({
        x0: floats(shape, entry(start, i)),
        x: floats(shape, second === "x_t" ? given("x_t", i) : zeros),
        noise: floats(shape, second === "noise" ? given("noise", i) : zeros),
        coefficients: floats([4], coefficients(row)),
      });
      parts.push(next!);
    }
    return joined(parts);
  };
  const noised = (run: RunGraph) =>
    each(run, "noise", ({ alphaBar, sigma2 }) => [Math.sqrt(alphaBar), 0, 0, Math.sqrt(sigma2)]);
  const mean = (run: RunGraph) => each(run, "x_t", ({ a, b }) => [a, b, 0, 0]);
  const size = start.data.length / rows.length;
  const spread = (of: (row: SamplerRow) => number) =>
    joined(rows.map((row) => new Float64Array(size).fill(of(row))));
  // The variance of the last step is 0; its logarithm is replaced by that of the step before.
  const clipped = ({ s }: SamplerRow) => 2 * Math.log(s === 0 ? plan.rows.at(-2)!.s : s);
  const results: Computed[] = [
    { name: "out.q_sample", ...(await mapEachInTurn(update.each, noised)) },
    { name: "out.posterior_mean", ...(await mapEachInTurn(update.each, mean)) },
    { name: "out.posterior_variance", table: true, reference: spread(({ s }) => s * s) },
    { name: "out.posterior_log_variance", table: true, reference: spread(clipped) },
  ];
  await update.dispose();
  return results.filter(({ name }) => hasTensor(golden, name));
}
