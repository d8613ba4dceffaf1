// Samplers that jump in continuous time need the derivative of the noise schedule.

import { type ResolvedSchedule, resolveSchedule } from "../../diffusion/resolve.js";
import { DlmcError, type Report } from "../../support/diagnostic.js";
import type { Description, NoiseSchedule } from "../description.js";

/** Checks that a sampler of rates has a schedule with one. */
export function checkRate(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  const { sampler, noise_schedule: schedule } = description;
  if (sampler.kind !== "discrete_flow" && sampler.kind !== "tau_leaping") return;
  const resolved = resolve(schedule);
  if (resolved === undefined || (resolved.kind === "continuous" && resolved.rate !== undefined)) return;
  const discrete = resolved.kind !== "continuous";
  const moved = schedule.log_snr_shift !== 0 || schedule.log_snr_clip !== undefined;
  report.error(
    "model/rate",
    `${sampler.kind} needs the derivative of the noise schedule, and ${discrete ? "trained steps have none" : moved ? "one with a moved log SNR has none" : `${schedule.family} has none`}`,
    {
      pointer: "/sampler/kind",
      notes: [
        {
          message: "the noise schedule",
          pointer: discrete ? "/noise_schedule/discretization" : "/noise_schedule/family",
        },
      ],
      help: 'use a family of discrete states in continuous time, such as "log_linear" or "polynomial"',
    },
  );
}

/** The schedule, where it is one: what is wrong with it is said elsewhere, and constants may be in the weights. */
function resolve(schedule: NoiseSchedule): ResolvedSchedule | undefined {
  try {
    return resolveSchedule(schedule);
  } catch (error) {
    if (error instanceof DlmcError) return undefined;
    throw error;
  }
}
