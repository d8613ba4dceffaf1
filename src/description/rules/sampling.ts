// Rules of noise schedules and timestep grids. Whatever the numbers themselves can show (a stride that exists,
// noise that falls) is asked of src/diffusion, which computes the same tables for the sampler.

import { checkSchedules, correctsAtRest } from "../../diffusion/check.js";
import type { TimestepsDescription } from "../../diffusion/grid.js";
import { levelsDiffer, resolveGrids } from "../../diffusion/position-grid.js";
import { schedulePositions } from "../../diffusion/resolve.js";
import { DlmcError, type Report } from "../../support/diagnostic.js";
import type { Description, NoiseSchedule, Timesteps } from "../description.js";
import { sequenceLength } from "../widths.js";
import { checkPositions } from "./positions.js";

/** Checks the schedule and the grid of a description that has them. */
export function checkSampling(description: Description, report: Report): void {
  if (!("noise_schedule" in description)) return;
  const { noise_schedule: schedule, timesteps } = description;
  const problems = report.diagnostics.length;
  checkConstants(schedule, description, report);
  checkPositions(description, report);
  if (timesteps !== undefined) {
    checkKind(schedule, timesteps, report);
    checkOrder(timesteps, description, report);
  }
  if (timesteps !== undefined && report.diagnostics.length === problems)
    checkNumbers(description, schedule, timesteps, report);
}

function checkConstants(schedule: NoiseSchedule, description: Description, report: Report): void {
  const clip = schedule.log_snr_clip;
  if (clip !== undefined && !((clip[0] ?? 0) < (clip[1] ?? 0)))
    report.error("model/clip-order", `log_snr_clip is [lowest, highest], not [${clip.join(", ")}]`, {
      pointer: "/noise_schedule/log_snr_clip",
      help: `use [${[...clip].reverse().join(", ")}]`,
    });
  if (schedule.family === "linear" || schedule.family === "piecewise_linear") checkBetas(schedule, report);
  if (schedule.family === "gumbel_quantile" && typeof schedule.scale === "number" && schedule.scale <= 0)
    report.error("model/gumbel-scale", `the scale of gumbel_quantile is positive, not ${schedule.scale}`, {
      pointer: "/noise_schedule/scale",
    });
  if (schedule.family === "learned_mlp") {
    const missing = (["w1", "b1", "w2"] as const).filter((name) => schedule[name] === undefined);
    if (missing.length === 1 || missing.length === 2)
      report.error(
        "model/learned-mlp",
        `a learned schedule has w1, b1 and w2; ${missing.join(" and ")} missing`,
        {
          pointer: "/noise_schedule",
          help: 'name all three tensors as { "from": "..." }',
        },
      );
  }
  const { file, files, index } = description.weights;
  if (file !== undefined || files !== undefined || index !== undefined) return;
  for (const [name, value] of Object.entries(schedule))
    if (isFromWeights(value))
      report.error("model/constant-without-weights", `${name} comes from the weights, and there are none`, {
        pointer: `/noise_schedule/${name}`,
        notes: [{ message: "the weights", pointer: "/weights" }],
        help: 'name a file in "weights", or leave the field out',
      });
}

/** A constant that is a tensor of the checkpoint. */
function isFromWeights(value: unknown): boolean {
  return typeof value === "object" && value !== null && "from" in value;
}

/** Betas of a family that lists them are below 1 after rescaling, and a knee lies inside the table. */
function checkBetas(
  schedule: Extract<NoiseSchedule, { family: "linear" | "piecewise_linear" }>,
  report: Report,
): void {
  const { num_train_steps: steps } = schedule.discretization;
  const notes = [
    { message: "the training steps", pointer: "/noise_schedule/discretization/num_train_steps" },
  ];
  const ratio = schedule.rescale ? 1000 / steps : 1;
  const added = schedule.family === "linear" ? schedule.offset : 0;
  const end = schedule.beta_end * ratio + added;
  if (end >= 1)
    report.error(
      "model/beta-range",
      added > 0
        ? `rescaled to ${steps} training steps and with the offset, beta_end is ${end}, not below 1`
        : `rescaled to ${steps} training steps, beta_end is ${end}, not below 1`,
      {
        pointer: "/noise_schedule/beta_end",
        notes,
        help: 'use more training steps, or "rescale": false',
      },
    );
  if (schedule.family === "linear") return;
  if (schedule.lifted_steps >= steps)
    report.error(
      "model/beta-knee",
      `${schedule.lifted_steps} of ${steps} training steps lie before the knee`,
      {
        pointer: "/noise_schedule/lifted_steps",
        notes,
        help: "leave at least one training step behind it",
      },
    );
}

/** Indices need a discretized schedule, times a continuous one, quantiles a quantile function. */
function checkKind({ family, discretization }: NoiseSchedule, timesteps: Timesteps, report: Report): void {
  const discrete = discretization.kind !== "continuous";
  const { kind } = timesteps;
  const needsDiscrete = ["spaced", "ddim_stride", "gap", "all"].includes(kind);
  const quantile = family === "gumbel_quantile";
  if (kind === "table" || (discrete && needsDiscrete)) return;
  // Grids of times in [0, 1] fit every family that is a function of time.
  if (!discrete && (quantile ? kind === "quantile" : !needsDiscrete && kind !== "quantile")) return;
  const what = discrete ? "has training steps" : quantile ? "is a function of quantiles" : "is continuous";
  const use = discrete
    ? '"spaced", "ddim_stride", "gap" or "all"'
    : `"${quantile ? "quantile" : "linspace"}"${quantile ? "" : ", or give the schedule a discretization"}`;
  report.error("model/timesteps-kind", `the timesteps "${kind}" do not fit a schedule that ${what}`, {
    pointer: "/timesteps/kind",
    notes: [
      discrete || quantile
        ? { message: "the schedule", pointer: "/noise_schedule/family" }
        : { message: "its discretization", pointer: "/noise_schedule/discretization" },
    ],
    help: `use ${use}`,
  });
}

function checkOrder(timesteps: Timesteps, description: Description, report: Report): void {
  if (timesteps.kind === "table") {
    const { sampler } = description as { readonly sampler?: { readonly kind: string } };
    const repeats = correctsAtRest.has(sampler?.kind ?? "");
    const rises = (value: number, before: number): boolean =>
      value > before || (!repeats && value === before);
    const { values } = timesteps;
    const times = values.filter((value) => typeof value === "number");
    const at = times.findIndex((value, i) => i > 0 && rises(value, times[i - 1]!));
    if (at > 0)
      report.error(
        "model/timesteps-order",
        `listed times fall${repeats ? "" : " strictly"}, the noisiest first`,
        {
          pointer: `/timesteps/values/${at}`,
          notes: [{ message: "the time before it", pointer: `/timesteps/values/${at - 1}` }],
        },
      );
    const rows = values.filter((value) => typeof value !== "number");
    const rising = rows.map((row, i) => row.findIndex((time, p) => time > (rows[i - 1]?.[p] ?? time)));
    const step = rising.findIndex((position) => position >= 0);
    if (step > 0)
      report.error(
        "model/timesteps-order",
        `the time of position ${rising[step]} rises; it falls or stands still`,
        {
          pointer: `/timesteps/values/${step}/${rising[step]}`,
          notes: [
            { message: "the time before it", pointer: `/timesteps/values/${step - 1}/${rising[step]}` },
          ],
        },
      );
  } else if (timesteps.kind === "linspace" || timesteps.kind === "quantile") {
    const { from, to } = timesteps;
    if (from <= to)
      report.error("model/timesteps-order", `times run from the noisy ${from} down, but "to" is ${to}`, {
        pointer: "/timesteps/to",
        notes: [{ message: "the noisiest time", pointer: "/timesteps/from" }],
        help: `swap "from" and "to"`,
      });
  }
}

/** The grid itself; constants that come with the weights are checked when they are read. */
function checkNumbers(
  description: Description,
  schedule: NoiseSchedule,
  timesteps: Timesteps,
  report: Report,
): void {
  if ([...Object.values(schedule), ...Object.values(timesteps)].some(isFromWeights)) return;
  try {
    const grid = timesteps as TimestepsDescription;
    const length = sequenceLength(description) ?? schedulePositions(schedule);
    const grids = resolveGrids(schedule, grid, levelsDiffer(schedule, grid) ? length : undefined);
    const notes = [{ message: "the grid", pointer: "/timesteps" }];
    // Where the last call of the network gives the tokens, the grid may end in noise (LangFlow's does).
    const { sampler } = description as {
      readonly sampler?: { readonly kind: string; readonly final?: string };
    };
    const rounds = sampler?.final === "round";
    for (const diagnostic of checkSchedules(grids, sampler))
      if (rounds || diagnostic.code !== "schedule/clean-end") report.add({ ...diagnostic, notes });
  } catch (error) {
    if (!(error instanceof DlmcError)) throw error;
    const notes = [{ message: "the schedule", pointer: "/noise_schedule" }];
    for (const diagnostic of error.diagnostics) report.add({ ...diagnostic, notes });
  }
}
