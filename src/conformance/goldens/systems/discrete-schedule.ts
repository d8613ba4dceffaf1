// Noise schedules of discrete models: sched.<name>.<column> at the times sched.t, in the columns that upstream names.

import { resolveSchedule } from "../../../diffusion/index.js";
import { totalNoise } from "../../../diffusion/noise-level.js";
import type { Computed } from "../compare.js";
import { type GoldenCase, hasTensor, tensorOf } from "../golden-case.js";

/** A description's noise_schedule under upstream's name. */
export type NamedSchedules = Readonly<
  Record<string, { readonly family: string; readonly [key: string]: unknown }>
>;

/** Every column of these schedules that the case has. */
export function scheduleTables(golden: GoldenCase, schedules: NamedSchedules): Computed[] {
  if (!hasTensor(golden, "sched.t")) return [];
  const times = Array.from(tensorOf(golden, "sched.t").data);
  return Object.entries(schedules).flatMap(([name, description]) => {
    const schedule = resolveSchedule(description);
    if (schedule.kind !== "continuous") return [];
    const total = times.map((t) => totalNoise(schedule.at(t)));
    const rate = times.map((t) => schedule.rate?.(t) ?? Number.NaN);
    const moved = times.map((t) => schedule.at(t).sigma2);
    const columns = { total, sigma: total, rate, move_chance: moved };
    return Object.entries(columns)
      .filter(([column]) => hasTensor(golden, `sched.${name}.${column}`))
      .map(([column, reference]) => ({ name: `sched.${name}.${column}`, table: true, reference }));
  });
}
