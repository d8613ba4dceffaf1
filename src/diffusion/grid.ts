// A description's `timesteps` resolved against its schedule: the list of points a sampler visits,
// noisiest first, each with its noise level.

import { fail } from "../support/diagnostic.js";
import { levelAt } from "./discretize.js";
import { clean, type NoiseLevel } from "./noise-level.js";
import type { ContinuousSchedule, ResolvedSchedule } from "./resolve.js";
import { linspace } from "./schedules/family.js";
import {
  type KarrasGrid,
  karrasTimes,
  type LogitNormalGrid,
  logitNormalTimes,
  type WarpGrid,
  warpTimes,
} from "./times.js";
import { allIndices, ddimStrideIndices, gapIndices, spacedIndices } from "./timesteps.js";

/** How positions walk a grid at times of their own, see position-grid.ts. */
export type PerPosition =
  | { readonly kind: "lag"; readonly lag: number; readonly block?: number }
  | { readonly kind: "anchor"; readonly position?: number };

type ComputedGrid =
  | { readonly kind: "linspace"; readonly from?: number; readonly to?: number; readonly num_steps?: number }
  | { readonly kind: "quantile"; readonly from?: number; readonly to?: number; readonly num_steps?: number }
  | { readonly kind: "spaced"; readonly sections?: number | readonly number[] }
  | { readonly kind: "ddim_stride"; readonly num_steps?: number }
  | { readonly kind: "gap"; readonly num_steps?: number }
  | { readonly kind: "all" }
  | ({ readonly kind: "karras"; readonly num_steps?: number } & KarrasGrid)
  | ({ readonly kind: "logit_normal"; readonly num_steps?: number } & LogitNormalGrid)
  | ({ readonly kind: "warp"; readonly num_steps?: number } & WarpGrid);

/** `timesteps` of a description. */
export type TimestepsDescription =
  | (ComputedGrid & { readonly per_position?: PerPosition })
  // One time a step, or a row of one for each position.
  | { readonly kind: "table"; readonly values: readonly (number | readonly number[])[] };

/** One visited point. */
export interface GridPoint {
  /** The time in [0, 1] (or the quantile); of a table, the time that its index stands for. */
  readonly t: number;
  /** The trained index, of a table. */
  readonly index?: number;
  readonly level: NoiseLevel;
}

/**
 * The points, noisiest first. `numSteps` replaces the description's own number where the grid has one.
 * Throws `timesteps/needs-table` and `timesteps/needs-continuous` when grid and schedule do not fit,
 * `timesteps/no-count` when the number of steps is nowhere, and the errors of timesteps.ts.
 */
export function resolveGrid(
  timesteps: TimestepsDescription,
  schedule: ResolvedSchedule,
  numSteps?: number,
): readonly GridPoint[] {
  if (schedule.kind === "continuous") {
    const times = continuousTimes(timesteps, schedule, numSteps);
    return Array.from(times, (t) => pointAt(schedule, t));
  }
  const indices = trainedIndices(timesteps, schedule.steps, numSteps);
  return Array.from(indices, (index) => pointAt(schedule, index)).reverse();
}

/** The point of a time, or of a trained index. Throws `timesteps/outside` for an index that is none. */
export function pointAt(schedule: ResolvedSchedule, at: number): GridPoint {
  if (schedule.kind === "continuous") return { t: at, level: schedule.at(at) };
  if (!Number.isInteger(at) || at < 0 || at >= schedule.steps)
    fail("timesteps/outside", `step ${at} is not one of the ${schedule.steps} trained steps`, {
      pointer: "/timesteps/values",
    });
  const first = schedule.edge === "right" ? 1 : 0;
  return { t: (at + first) / schedule.steps, index: at, level: levelAt(schedule, at) };
}

/** The level one trained step below a visited point, of `count` continuous times that at t - 1/count; below the last it is clean. */
export function levelBelow({ t, index }: GridPoint, schedule: ResolvedSchedule, count: number): NoiseLevel {
  if (schedule.kind === "continuous") {
    const below = t - 1 / count;
    return below > 0 ? schedule.at(below) : clean;
  }
  return index === undefined || index === 0 ? clean : levelAt(schedule, index - 1);
}

function continuousTimes(
  timesteps: TimestepsDescription,
  schedule: ContinuousSchedule,
  numSteps: number | undefined,
): ArrayLike<number> {
  switch (timesteps.kind) {
    case "linspace":
      return linspace(timesteps.from ?? 1, timesteps.to ?? 1e-5, needCount(timesteps.num_steps, numSteps));
    case "quantile":
      return linspace(
        timesteps.from ?? 1 - 1e-5,
        timesteps.to ?? 1e-5,
        needCount(timesteps.num_steps, numSteps),
      );
    case "karras":
      return karrasTimes(timesteps, schedule, needCount(timesteps.num_steps, numSteps));
    case "logit_normal":
      return logitNormalTimes(timesteps, needCount(timesteps.num_steps, numSteps));
    case "warp":
      return warpTimes(timesteps, needCount(timesteps.num_steps, numSteps));
    case "table":
      return sharedTimes(timesteps.values);
    default:
      return fail(
        "timesteps/needs-table",
        `timesteps ${timesteps.kind} picks trained steps, but the noise schedule is continuous`,
        {
          pointer: "/timesteps",
          help: 'use "linspace" or "quantile", or give the schedule a discretization',
        },
      );
  }
}

/** Ascending trained indices. */
export function trainedIndices(
  timesteps: TimestepsDescription,
  trainSteps: number,
  numSteps: number | undefined,
): ArrayLike<number> & Iterable<number> {
  switch (timesteps.kind) {
    case "spaced":
      return spacedIndices(
        trainSteps,
        numSteps === undefined && typeof timesteps.sections === "object"
          ? timesteps.sections
          : [needCount(timesteps.sections as number | undefined, numSteps)],
      );
    case "ddim_stride":
      return ddimStrideIndices(trainSteps, needCount(timesteps.num_steps, numSteps));
    case "gap":
      return gapIndices(trainSteps, needCount(timesteps.num_steps, numSteps));
    case "all":
      return numSteps === undefined ? allIndices(trainSteps) : spacedIndices(trainSteps, [numSteps]);
    case "table":
      return [...sharedTimes(timesteps.values)].reverse();
    default:
      return fail(
        "timesteps/needs-continuous",
        `timesteps ${timesteps.kind} is a grid of continuous times, but the noise schedule has ${trainSteps} trained steps`,
        { pointer: "/timesteps", help: 'use "spaced", "ddim_stride", "gap" or "all"' },
      );
  }
}

/** Times of a list that all positions share. Throws `timesteps/per-position` for rows of times. */
function sharedTimes(values: readonly (number | readonly number[])[]): readonly number[] {
  return values.map((value) =>
    typeof value === "number"
      ? value
      : fail("timesteps/per-position", "the listed times are those of single positions", {
          pointer: "/timesteps/values",
          help: "list one time a step",
        }),
  );
}

/** Steps of the longest grid: that of a description's `num_steps` too. */
const mostSteps = 1_000_000;

function needCount(described: number | undefined, numSteps: number | undefined): number {
  const count = numSteps ?? described;
  if (count === undefined || !Number.isInteger(count) || count < 1 || count > mostSteps)
    return fail(
      "timesteps/no-count",
      count === undefined ? "nothing says how many steps to take" : `${count} is not a number of steps`,
      { pointer: "/timesteps/num_steps", help: `a whole number from 1 to ${mostSteps}` },
    );
  return count;
}
