// Times per position: the grid that one position of a text visits. Every position has as many rows; one whose time stands
// still waits, and the sampler leaves it as it is.
//   lag       all positions walk the same grid, each group of `block` of them `lag` rows behind the one before: they wait at
//             the noisiest point before and at the cleanest after (rolling diffusion; Chen et al. 2024, "Diffusion
//             Forcing": its pyramid is lag 1, a lag of the whole grid takes one position after the other)
//   anchor    Wu et al. 2023, "AR-Diffusion", algorithm 1: of T trained steps and N positions the grid visits the T + N
//             values s = T + N - 1 .. 0, and position n stands at
//               t(n) = clip(t_e + (n - n_e) (t_s - t_e) / (n_s - n_e), 0, T - 1), rounded half to even,
//               (n_s, t_s) = (max(N - 1 - s, 0), max(s - (N - 1), 0)),   (n_e, t_e) = (floor(position N), T - 1)
//   table     a list of times, a row of N for each step

import { fail } from "../support/diagnostic.js";
import { type GridPoint, pointAt, resolveGrid, type TimestepsDescription, trainedIndices } from "./grid.js";
import {
  type NoiseScheduleDescription,
  type ResolvedSchedule,
  resolveSchedule,
  type ScheduleConstants,
  schedulePositions,
} from "./resolve.js";
import { roundHalfEven } from "./timesteps.js";

/** Which position of how many. */
export interface Place {
  readonly position: number;
  readonly length: number;
}

/** As much of `timesteps` as says whether positions have times of their own. */
interface Timed {
  readonly per_position?: unknown;
  readonly values?: readonly unknown[];
}

/** Whether positions visit times of their own. */
export function timesDiffer({ per_position: each, values }: Timed): boolean {
  return each !== undefined || Array.isArray(values?.[0]);
}

/** Whether positions stand at levels of their own: by their times, or by their schedules. */
export function levelsDiffer(schedule: NoiseScheduleDescription, timesteps: Timed): boolean {
  return schedulePositions(schedule) !== undefined || timesDiffer(timesteps);
}

/**
 * The points that a position visits, noisiest first. Throws what `resolveGrid` throws, and `timesteps/needs-table` for an
 * anchor in continuous time.
 */
export function positionGrid(
  timesteps: TimestepsDescription,
  schedule: ResolvedSchedule,
  { position, length }: Place,
  numSteps?: number,
): readonly GridPoint[] {
  if (timesteps.kind === "table")
    return timesteps.values.map((row) => pointAt(schedule, typeof row === "number" ? row : row[position]!));
  const { per_position: each } = timesteps;
  if (each === undefined) return resolveGrid(timesteps, schedule, numSteps);
  if (each.kind === "lag") {
    const { lag, block = 1 } = each;
    const grid = resolveGrid(timesteps, schedule, numSteps);
    const start = lag * Math.floor(position / block);
    const rows = grid.length + lag * (Math.ceil(length / block) - 1);
    return Array.from({ length: rows }, (_, k) => grid[Math.min(grid.length - 1, Math.max(0, k - start))]!);
  }
  if (schedule.kind === "continuous")
    return fail(
      "timesteps/needs-table",
      "an anchor counts trained steps, and the noise schedule is continuous",
      {
        pointer: "/timesteps/per_position/kind",
        help: 'use the kind "lag", or give the schedule a discretization',
      },
    );
  const last = schedule.steps - 1;
  const end = Math.floor((each.position ?? 2) * length);
  const visited = [...trainedIndices(timesteps, schedule.steps + length, numSteps)].reverse();
  return visited.map((s) => {
    const [n, t] = [Math.max(length - 1 - s, 0), Math.max(s - (length - 1), 0)];
    const time = last + ((position - end) * (t - last)) / (n - end);
    return pointAt(schedule, Math.min(last, Math.max(0, roundHalfEven(time))));
  });
}

/**
 * The points that each of `length` positions visits; without a length those of all. Throws what `resolveSchedule`,
 * `resolveGrid` and `positionGrid` throw.
 */
export function resolveGrids(
  noiseSchedule: NoiseScheduleDescription,
  timesteps: TimestepsDescription,
  length: number | undefined,
  options: { readonly numSteps?: number; readonly constants?: ScheduleConstants } = {},
): readonly (readonly GridPoint[])[] {
  const { numSteps, constants } = options;
  if (length === undefined)
    return [resolveGrid(timesteps, resolveSchedule(noiseSchedule, constants), numSteps)];
  return Array.from({ length }, (_, position) => {
    const schedule = resolveSchedule(noiseSchedule, constants, position);
    return positionGrid(timesteps, schedule, { position, length }, numSteps);
  });
}
