// MDLM: the network on tokens, the SUBS parameterisation, the absorbing noise schedules, and whole sampling runs with
// recorded uniforms by each of upstream's predictors.

import type { LoadedModel } from "../../../api/load.js";
import type { TokenPlan } from "../../../diffusion/index.js";
import { bug } from "../../../support/diagnostic.js";
import { disposeRunners, load, tokenRunners } from "../backends.js";
import type { Computed } from "../compare.js";
import { type Each, mapEachInTurn } from "../each.js";
import {
  checkedFields,
  type Facts,
  type GoldenCase,
  hasTensor,
  numberOption,
  objectOf,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { recordedRun, replayTokens, type TokenTrajectory, trajectoryColumns } from "../token-replay.js";
import { type NamedSchedules, scheduleTables } from "./discrete-schedule.js";
import { ditBlocks, ditNorm, ditTime, ditWeightMap } from "./dit.js";
import { network, probabilities, tokenPlan } from "./dit-tokens.js";
import { windowPlan, windowRun } from "./mdlm-windows.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const mdlm: GoldenSystem = {
  name: "MDLM",
  covers: (golden) => isNamed(golden, "mdlm") && weightShape(golden, "vocab_embed.embedding") !== undefined,
  compute,
};

/** Upstream's noise schedules with its constants (noise_schedule.py). */
const schedules: NamedSchedules = {
  loglinear: { family: "log_linear", eps: 1e-3 },
  cosine: { family: "cosine_power", power: 1, eps: 1e-3 },
  cosinesqr: { family: "cosine_power", power: 2, eps: 1e-3 },
  geometric: { family: "geometric", sigma_min: 1e-3, sigma_max: 1 },
  linear: { family: "linear_noise", sigma_min: 0, sigma_max: 10 },
};

/** The schedules with the constants of the run or the case, where they say some: sigma_min and sigma_max. */
function schedulesOf(golden: GoldenCase, run: Facts = {}): NamedSchedules {
  return Object.fromEntries(
    Object.entries(schedules).map(([name, schedule]) => {
      const listed = golden.options.get(name);
      const own: Facts = Array.isArray(listed)
        ? { sigma_min: listed[0], sigma_max: listed[1] }
        : objectOf(listed);
      const said = ["sigma_min", "sigma_max"].flatMap((key) => {
        const value = run[key] ?? own[key] ?? numberOption(golden, key);
        return key in schedule && typeof value === "number" ? [[key, value]] : [];
      });
      return [name, { ...schedule, ...Object.fromEntries(said) }];
    }),
  );
}

/** Samplers by the names of upstream's predictors. */
const predictors: Readonly<Record<string, Facts>> = {
  ddpm: { kind: "ancestral", final: "argmax" },
  ddpm_cache: { kind: "ancestral", move_chance: "time", final: "argmax" },
  analytic: { kind: "analytic", final: "sample" },
};

/** One of upstream's sampling runs, or what the case does without one. */
interface Run {
  readonly name: string;
  readonly predictor: string;
  readonly timed: boolean;
  readonly noise: string;
  readonly facts: Facts;
}

function describeMdlm(golden: GoldenCase, run: Run): Record<string, unknown> {
  const [vocabulary, width] = weightShape(golden, "vocab_embed.embedding") ?? [];
  const steps = numberOption(golden, "N", "num_steps", "steps") ?? 1;
  const length = hasTensor(golden, `traj.${run.name}.x`)
    ? tensorOf(golden, `traj.${run.name}.x`).shape[2]
    : tensorOf(golden, "in.tokens").shape[1];
  return {
    name: `${golden.id}-${run.name}`,
    state_space: {
      kind: "absorbing",
      vocab_size: vocabulary,
      mask_token_id: numberOption(golden, "mask_index", "mask_token_id") ?? vocabulary! - 1,
      seq_len: length,
    },
    embedding: { dim: width },
    noise_schedule:
      schedulesOf(golden, run.facts)[run.noise] ?? bug(`MDLM has no noise schedule ${run.noise}`),
    timesteps: { kind: "linspace", to: numberOption(golden, "sampling_eps") ?? 1e-5, num_steps: steps + 1 },
    time_conditioning: ditTime(golden, "", run.timed ? "total_noise" : "zero"),
    prediction_type: { target: "subs", final_norm: ditNorm(golden) },
    blocks: ditBlocks(golden, ""),
    rounding_head: { kind: "linear", bias: weightShape(golden, "output_layer.linear.bias") !== undefined },
    sampler: predictors[run.predictor] ?? bug(`MDLM has no predictor ${run.predictor}`),
    weights: {
      file: golden.weightsFile,
      map: ditWeightMap(golden, ""),
      ignore: ["rotary_emb.inv_freq"],
    },
  };
}

const runFields = [
  ...["name", "predictor", "time_conditioning", "noise", "noise_type", "sigma_min", "sigma_max"],
  ...["stride_length", "num_strides", "dt"],
];

function runsOf(golden: GoldenCase): Run[] {
  const listed = golden.options.get("runs");
  return (Array.isArray(listed) ? listed : [])
    .map((facts, i) => checkedFields(golden, `runs.${i}`, facts, runFields))
    .map((run) => ({
      name: String(run.name),
      predictor: String(run.predictor ?? (run.stride_length === undefined ? run.name : "ddpm_cache")),
      timed: run.time_conditioning === true,
      noise: String(run.noise ?? run.noise_type ?? golden.options.get("noise") ?? "loglinear"),
      facts: run,
    }));
}

async function compute(golden: GoldenCase, work: string): Promise<readonly Computed[]> {
  const forward = { name: "forward", predictor: "ddpm", timed: true, noise: "loglinear", facts: {} };
  const results = [
    ...(await network(golden, load(describeMdlm(golden, forward), `${work}/forward`), `${work}/forward`)),
    ...scheduleTables(golden, schedulesOf(golden)),
  ];
  for (const run of runsOf(golden)) {
    if (!hasTensor(golden, `traj.${run.name}.x`)) continue;
    const directory = `${work}/${run.name}`;
    const model = load(describeMdlm(golden, run), directory);
    results.push(...(await sampling(golden, run, model, directory)));
  }
  return results;
}

/** One run with its recorded uniforms. */
async function sampling(golden: GoldenCase, run: Run, model: LoadedModel, work: string): Promise<Computed[]> {
  const plan = tokenPlan(model);
  const runners = await tokenRunners(model, work);
  if (run.facts.stride_length !== undefined) {
    const windows = {
      stride: Number(run.facts.stride_length),
      strides: Number(run.facts.num_strides ?? 1),
      dt: Number(run.facts.dt ?? 1e-3),
    };
    const computed = await windowRun(golden, run.name, runners, windowPlan(plan, windows), windows);
    await disposeRunners(runners);
    return computed;
  }
  const recorded = recordedRun(golden, run.name);
  const walks = await mapEachInTurn(runners, (runner) => replayTokens(runner, { plan, ...recorded }));
  await disposeRunners(runners);
  return trajectoryResults(golden, run, plan, walks);
}

function trajectoryResults(
  golden: GoldenCase,
  { name, predictor }: Run,
  plan: TokenPlan,
  walks: Each<TokenTrajectory>,
): Computed[] {
  const p = (call: TokenTrajectory["calls"][number]) => probabilities(plan, call.logits, call.tokens);
  const updates = plan.rows.length;
  // Upstream's cache asks the network again only after a token changed; its other predictors always do.
  const changes = ({ states }: TokenTrajectory): number =>
    states.slice(0, updates).filter((state, k) => k === 0 || states[k - 1]!.some((t, i) => t !== state[i]))
      .length;
  return trajectoryColumns(golden, name, walks, [
    ["p_x0_first", false, ({ calls }) => p(calls[0]!)],
    ["p_x0_last", false, ({ calls }) => p(calls.at(-1)!)],
    // The last draw: of the analytic predictor that is its denoising step.
    ["q_last", false, ({ weights }) => weights.findLast((drawn) => drawn !== undefined)],
    ["nfe", true, (walk) => [predictor === "ddpm_cache" ? changes(walk) + 1 : updates + 1]],
  ]);
}
