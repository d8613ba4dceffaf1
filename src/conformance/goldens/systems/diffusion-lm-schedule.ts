// Diffusion-LM's tables: betas, alpha_bar and the posterior of each schedule, whole and respaced, and the time
// features. Which tables a case has is read off its tensors' names:
//   <schedule>.<table>, <schedule>.<table>_at (at the indices table_index), <schedule>.respaced_<spacing>.<table>,
//   respaced_<spacing>.timestep_map, time.embedding_<dim>

import { describe } from "../../../compile.js";
import { respacedBetas, tableFromBetas } from "../../../diffusion/discretize.js";
import {
  clean,
  type DiscreteSchedule,
  gaussianSamplers,
  levelAt,
  type NoiseScheduleDescription,
  resolveGrid,
  resolveSchedule,
  type TimestepsDescription,
} from "../../../diffusion/index.js";
import { fail } from "../../../support/diagnostic.js";
import { floats, load, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import { type GoldenCase, hasTensor, resultNames, tensorOf } from "../golden-case.js";
import { probesOf } from "../probes.js";
import { noiseSchedule, timesteps, trainSteps } from "./diffusion-lm-noise.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const diffusionLmSchedule: GoldenSystem = {
  name: "Diffusion-LM schedule",
  covers: (golden) =>
    isNamed(golden, "diffusionlm") &&
    golden.weights === undefined &&
    (golden.options.has("schedules") || golden.options.get("kind") === "noise_schedule"),
  compute,
};

/** What upstream tabulates, as functions of a table. */
export const tableColumns: Readonly<Record<string, (table: DiscreteSchedule) => ArrayLike<number>>> = {
  betas: ({ betas }) => betas,
  alphas: ({ betas }) => betas.map((beta) => 1 - beta),
  alphas_cumprod: ({ alphaBar }) => alphaBar,
  alphas_cumprod_prev: ({ alphaBar }) => [1, ...alphaBar.subarray(0, -1)],
  alphas_cumprod_next: ({ alphaBar }) => [...alphaBar.subarray(1), 0],
  sqrt_alphas_cumprod: ({ alphaBar }) => alphaBar.map(Math.sqrt),
  sqrt_one_minus_alphas_cumprod: ({ sigma2 }) => sigma2.map(Math.sqrt),
  log_one_minus_alphas_cumprod: ({ sigma2 }) => sigma2.map(Math.log),
  sqrt_recip_alphas_cumprod: ({ alphaBar }) => alphaBar.map((value) => 1 / Math.sqrt(value)),
  sqrt_recipm1_alphas_cumprod: ({ alphaBar, sigma2 }) =>
    alphaBar.map((value, i) => Math.sqrt(sigma2[i]! / value)),
  posterior_variance: (table) => posterior(table).map(({ s }) => s * s),
  posterior_log_variance_clipped: (table) => {
    const rows = posterior(table);
    // Step 0 has no noise; upstream puts the logarithm of step 1 there.
    return rows.map(({ s }, i) => 2 * Math.log((i === 0 ? rows[1] : rows[i])?.s ?? s));
  },
  posterior_mean_coef1: (table) => posterior(table).map(({ a }) => a),
  posterior_mean_coef2: (table) => posterior(table).map(({ b }) => b),
};

/** Near 0 upstream's ln(1 - alpha_bar) has lost digits in the difference: compared by the table's largest number. */
const cancels = (column: string): boolean => column === "log_one_minus_alphas_cumprod";

/** The ancestral sampler's coefficients of every step of a table. */
function posterior(table: DiscreteSchedule) {
  const sampler = gaussianSamplers.ddpm({ kind: "ddpm" });
  return Array.from({ length: table.steps }, (_, i) =>
    sampler.coefficients(levelAt(table, i), i === 0 ? clean : levelAt(table, i - 1)),
  );
}

/** A schedule as the description's text resolves it, with the spacing if one is asked for. */
function resolved(golden: GoldenCase, schedule: string, spacing: unknown) {
  const steps = trainSteps(golden);
  const description = {
    version: 1,
    part: "noise_schedule",
    noise_schedule: noiseSchedule(schedule, steps),
    timesteps: timesteps(spacing, steps),
  };
  const read = describe(JSON.stringify(description), `${golden.id} ${schedule}`).description;
  if (read.part !== "noise_schedule" || read.timesteps === undefined)
    return fail("goldens/schedule", `${schedule} is not described by a schedule`);
  const table = resolveSchedule(read.noise_schedule as NoiseScheduleDescription);
  if (table.kind !== "discrete") return fail("goldens/schedule", `${schedule} has no training steps`);
  const grid = resolveGrid(read.timesteps as TimestepsDescription, table);
  return { table, indices: grid.map(({ index }) => index ?? -1).reverse() };
}

async function compute(golden: GoldenCase, work: string): Promise<readonly Computed[]> {
  const results: Computed[] = [];
  const spacings = golden.options.get("spacings");
  const spacingOf = (id: string): unknown =>
    (Array.isArray(spacings) ? spacings : []).find((one) => spacingId(one) === id) ?? id.replaceAll("_", ",");
  const first = String((golden.options.get("schedules") as readonly unknown[] | undefined)?.[0] ?? "linear");
  for (const name of resultNames(golden)) {
    const computed =
      respaced(golden, name, spacingOf) ?? indices(golden, name, first, spacingOf) ?? whole(golden, name);
    if (computed !== undefined) results.push(computed);
  }
  return [...results, ...(await timeFeatures(golden, work))];
}

/** "10,15,25" in a tensor's name. */
function spacingId(spacing: unknown): string {
  return String(spacing).replaceAll(/[^\w]+/g, "_");
}

function respaced(
  golden: GoldenCase,
  name: string,
  spacingOf: (id: string) => unknown,
): Computed | undefined {
  const [, schedule, id, column] = /^(\w+)\.respaced_(\w+)\.(\w+)$/.exec(name) ?? [];
  if (schedule === undefined || column === undefined || tableColumns[column] === undefined) return undefined;
  const { table, indices: kept } = resolved(golden, schedule, spacingOf(id!));
  const reference = tableColumns[column](tableFromBetas(respacedBetas(table, kept)));
  return { name, table: !cancels(column), reference };
}

function indices(
  golden: GoldenCase,
  name: string,
  schedule: string,
  spacingOf: (id: string) => unknown,
): Computed | undefined {
  const [, own, id] = /^(?:(\w+)\.)?respaced_(\w+)\.timestep_map$/.exec(name) ?? [];
  if (id === undefined) return undefined;
  return { name, reference: resolved(golden, own ?? schedule, spacingOf(id)).indices, exact: true };
}

function whole(golden: GoldenCase, name: string): Computed | undefined {
  const [, schedule, written] = /^(\w+)\.(\w+)$/.exec(name) ?? [];
  const column = written?.replace(/_at$/, "");
  if (schedule === undefined || column === undefined || tableColumns[column] === undefined) return undefined;
  const all = tableColumns[column](resolved(golden, schedule, "").table);
  const table = !cancels(column);
  if (column === written) return { name, table, reference: all };
  const reference = Array.from(tensorOf(golden, "table_index").data, (at) => all[at]!);
  return { name, table, reference };
}

/** time.embedding_<dim> of time.t: the features of a block's time conditioning, as lowered and compiled. */
async function timeFeatures(golden: GoldenCase, work: string): Promise<Computed[]> {
  const results: Computed[] = [];
  if (!hasTensor(golden, "time.t")) return results;
  const level = tensorOf(golden, "time.t");
  for (const name of resultNames(golden)) {
    const size = Number(/^time\.embedding_(\d+)$/.exec(name)?.[1]);
    if (!(size >= 2)) continue;
    const model = load(
      {
        part: "block",
        width: 1,
        seq_len: 1,
        block: { mixer: { kind: "short_conv", taps: 1, bias: false }, ffn: { kind: "none" } },
        time_conditioning: {
          injection: "ada_ln",
          features: { kind: "sinusoidal", dim: size },
          mlp: { dims: [] },
          final: false,
        },
      },
      `${work}/${name}`,
      { synthetic: 0 },
    );
    const modulation = probesOf(model.module, "block").reader("ada_ln.weight");
    const graph = await openGraph(model, "block", { features: modulation?.operands[0] }, `${work}/${name}`);
    const rows = level.data.length;
    const outputs = await graph.run({
      x: floats([rows, 1, 1], new Float64Array(rows)),
      level: floats([rows], level.data),
    });
    await graph.dispose();
    results.push({ name, ...mapEach(outputs, (values) => values.features!) });
  }
  return results;
}
