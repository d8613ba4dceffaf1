// Duo: the network on tokens of a uniform state, its two noise schedules, and sampling runs with recorded uniforms, by
// the posterior or by psi steps, ended by a draw or by the argmax.

import type { LoadedModel } from "../../../api/load.js";
import { resolveSchedule } from "../../../diffusion/index.js";
import { bug } from "../../../support/diagnostic.js";
import { disposeRunners, load, tokenRunners } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEachInTurn } from "../each.js";
import {
  checkedFields,
  type Facts,
  firstTensor,
  type GoldenCase,
  hasTensor,
  namedEntries,
  numberOption,
  objectOf,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { recordedRun, replayTokens, trajectoryColumns } from "../token-replay.js";
import type { NamedSchedules } from "./discrete-schedule.js";
import { ditBlocks, ditNorm, ditTime, ditWeightMap } from "./dit.js";
import { network, probabilities, tokenPlan } from "./dit-tokens.js";
import { type PsiGrid, psiKappas, psiTimes } from "./duo-grid.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const duo: GoldenSystem = {
  name: "Duo",
  covers: (golden) => isNamed(golden, "duo"),
  async compute(golden, work) {
    const results = scheduleTables(golden);
    if (weightShape(golden, "vocab_embed.embedding") === undefined) return results;
    if (hasTensor(golden, "in.tokens"))
      results.push(
        ...(await network(golden, open(golden, "forward", {}, `${work}/forward`), `${work}/forward`)),
      );
    for (const [name, facts] of namedEntries(golden.options.get("runs"))) {
      if (!hasTensor(golden, `traj.${name}.x`)) continue;
      const run = checkedFields(golden, `runs.${name}`, facts, runFields);
      results.push(...(await sampling(golden, name, run, `${work}/${name}`)));
    }
    return results;
  },
};

const runFields = [
  ...["name", "predictor", "sampler", "noise", "noise_type", "noise_removal", "kappa", "mode", "psi"],
  ...["p_nucleus", "steps", "eps", "time_profile", "high_frac", "middle_frac"],
  ...["high_mode", "middle_mode", "low_mode"],
];

/** Upstream's schedules under the names it and its cases give them (trainer_base.py). */
function scheduleOf(name: string): NamedSchedules[string] & { readonly eps: number } {
  if (/^log.?linear$/.test(name)) return { family: "log_linear", eps: 1e-3 };
  return name === "cosine" ? { family: "sine", eps: 1e-3 } : bug(`Duo has no noise schedule ${name}`);
}

/** sched.<name>.alpha and its derivative; upstream leaves the factor 1 - eps out of that of the cosine. */
function scheduleTables(golden: GoldenCase): Computed[] {
  const times = firstTensor(golden, "sched.t")?.data;
  if (times === undefined) return [];
  return ["loglinear", "log-linear", "log_linear", "cosine"].flatMap((name) => {
    const description = scheduleOf(name);
    const schedule = resolveSchedule(description);
    if (schedule.kind !== "continuous") return [];
    const alpha = Array.from(times, (t) => schedule.at(t).alphaBar);
    const factor = name === "cosine" ? 1 / (1 - description.eps) : 1;
    const slope = Array.from(times, (t, i) => -alpha[i]! * (schedule.rate?.(t) ?? Number.NaN) * factor);
    return Object.entries({ alpha, alpha_t: alpha, dalpha: slope, dalpha_t: slope })
      .map(([column, reference]) => ({ name: `sched.${name}.${column}`, reference }))
      .filter((one) => hasTensor(golden, one.name));
  });
}

function open(golden: GoldenCase, name: string, run: Facts, work: string): LoadedModel {
  const [vocabulary, width] = weightShape(golden, "vocab_embed.embedding") ?? [];
  const recorded = firstTensor(golden, `traj.${name}.x`)?.shape[2];
  return load(
    {
      name: `${golden.id}-${name}`,
      state_space: {
        kind: "uniform",
        vocab_size: vocabulary,
        seq_len: recorded ?? tensorOf(golden, "in.tokens").shape[1],
      },
      embedding: { dim: width },
      noise_schedule: scheduleOf(gridOf(golden, run).noise),
      timesteps: { kind: "table", values: [...timesOf(golden, name, run)] },
      time_conditioning: ditTime(golden, "", "total_noise"),
      prediction_type: { target: "plug_in", final_norm: ditNorm(golden) },
      blocks: ditBlocks(golden, ""),
      rounding_head: { kind: "linear", bias: weightShape(golden, "output_layer.linear.bias") !== undefined },
      sampler: samplerOf(golden, name, run),
      weights: { file: golden.weightsFile, map: ditWeightMap(golden, ""), ignore: ["rotary_emb.inv_freq"] },
    },
    work,
  );
}

/** What a run says of its grid, with upstream's defaults. */
function gridOf(golden: GoldenCase, run: Facts): PsiGrid {
  const said = { ...objectOf(golden.options.get("psi")), ...run, ...objectOf(run.psi) };
  const mode = String(said.mode ?? (said.kappa === undefined ? "pure-posterior" : `constant-${said.kappa}`));
  const [high, middle, low] = ["high_mode", "middle_mode", "low_mode"].map((key) =>
    String(said[key] ?? mode),
  );
  return {
    profile: String(said.time_profile ?? "linear"),
    fractions: [Number(said.high_frac ?? 0.2), Number(said.middle_frac ?? 0.6)],
    modes: [high!, middle!, low!],
    steps: Number(run.steps ?? numberOption(golden, "N", "num_steps", "steps") ?? 1),
    eps: Number(run.eps ?? numberOption(golden, "eps", "sampling_eps") ?? 1e-5),
    noise: String(run.noise ?? run.noise_type ?? golden.options.get("noise") ?? "loglinear"),
  };
}

/** The visited times, as recorded or by upstream's rules. */
function timesOf(golden: GoldenCase, name: string, run: Facts): ArrayLike<number> & Iterable<number> {
  const recorded = firstTensor(golden, `sched.${name}.t`, `sched.${name}.timesteps`);
  return recorded?.data ?? psiTimes(gridOf(golden, run));
}

function kappasOf(golden: GoldenCase, name: string, run: Facts): readonly number[] {
  const grid = gridOf(golden, run);
  const schedule = resolveSchedule(scheduleOf(grid.noise));
  const signal = (t: number): number =>
    schedule.kind === "continuous" ? schedule.at(t).alphaBar : Number.NaN;
  return psiKappas(grid, Array.from(timesOf(golden, name, run), signal)).slice(0, -1);
}

function samplerOf(golden: GoldenCase, name: string, run: Facts): Record<string, unknown> {
  const removal = String(run.noise_removal ?? golden.options.get("noise_removal") ?? "ancestral");
  const finals: Facts = { greedy: "argmax", ancestral: "sample", none: "none" };
  const kappas = firstTensor(golden, `sched.${name}.kappa`, `traj.${name}.kappa`)?.data;
  const psi = (run.predictor ?? run.sampler ?? "ancestral") === "psi" || kappas !== undefined;
  return {
    kind: psi ? "psi" : "ancestral",
    final: finals[removal] ?? bug(`Duo has no noise removal ${removal}`),
    top_p: Number(run.p_nucleus ?? numberOption(golden, "p_nucleus") ?? 1),
    ...(psi && { kappa: { kind: "table", values: [...(kappas ?? kappasOf(golden, name, run))] } }),
  };
}

async function sampling(golden: GoldenCase, name: string, run: Facts, work: string): Promise<Computed[]> {
  const model = open(golden, name, run, work);
  const plan = tokenPlan(model);
  const runners = await tokenRunners(model, work);
  const recorded = recordedRun(golden, name);
  const walks = await mapEachInTurn(runners, (runner) => replayTokens(runner, { plan, ...recorded }));
  await disposeRunners(runners);
  return trajectoryColumns(golden, name, walks, [
    ["p_x0_first", false, ({ calls: [first] }) => probabilities(plan, first!.logits, first!.tokens)],
    ["p_x0_last", false, ({ calls }) => probabilities(plan, calls.at(-1)!.logits, calls.at(-1)!.tokens)],
    ["q_last", false, ({ weights }) => weights.findLast((drawn) => drawn !== undefined)],
    ["nfe", true, () => [plan.rows.length + (plan.final === "none" ? 0 : 1)]],
  ]);
}
