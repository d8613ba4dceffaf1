// Is a schedule one a sampler can walk? Problems come back as data, each with the step it is about.

import type { Diagnostic } from "../support/diagnostic.js";
import type { GridPoint } from "./grid.js";
import { signalPart } from "./noise-level.js";

/** Least signal power at the cleanest visited level that still lets rounding read the token. */
const cleanEnough = 0.5;
/** Greatest signal power at the noisiest level: sampling starts from pure noise, training did not. */
const noisyEnough = 0.05;

/** Samplers without a log SNR in their formulas: for them the ends may be all noise or all signal. */
const takesEnds: ReadonlySet<string> = new Set([
  "ancestral",
  "discrete_flow",
  "first_hitting",
  "confidence",
  "flow",
  "renoise",
]);

/** Samplers that do something in a step between two equal times: they noise and denoise again. */
export const correctsAtRest: ReadonlySet<string> = new Set(["psi"]);

/**
 * The problems of the levels that positions visit, a list of each (`resolveGrids`); one list: that of all. Each kind of
 * problem once, of the first position that has it.
 */
export function checkSchedules(
  grids: readonly (readonly GridPoint[])[],
  sampler?: { readonly kind: string },
): readonly Diagnostic[] {
  const found = grids.flatMap((grid, position) =>
    checkSchedule(grid, sampler, grids.length === 1 ? undefined : position).map((problem) => ({
      problem,
      position,
    })),
  );
  const first = new Map<string, number>();
  for (const { problem, position } of found) if (!first.has(problem.code)) first.set(problem.code, position);
  return found
    .filter(({ problem, position }) => first.get(problem.code) === position)
    .map(({ problem }) => problem);
}

/**
 * The problems of a list of visited levels, noisiest first (`resolveGrid`), or of a whole table reversed, for the
 * sampler that walks it. A `position` may stand still from one step to the next.
 * Errors: `schedule/out-of-range` (alpha_bar outside [0, 1]), `schedule/infinite-snr` (a warning where no sampler is
 * named), `schedule/not-monotone`. Warnings: `schedule/clean-end`, `schedule/noisy-end`.
 */
export function checkSchedule(
  grid: readonly GridPoint[],
  sampler?: { readonly kind: string },
  position?: number,
): readonly Diagnostic[] {
  const problems: Diagnostic[] = [];
  const add = (severity: "error" | "warning", code: string, message: string, help: string) =>
    problems.push({ severity, code, message, pointer: "/noise_schedule", help });
  const of = position === undefined ? "" : `of position ${position}`;
  for (const [i, { t, level }] of grid.entries()) {
    const where = `${of && `${of} `}at t = ${t} (point ${i + 1} of ${grid.length})`;
    if (
      !(
        level.alphaBar >= 0 &&
        level.alphaBar <= 1 &&
        level.sigma2 >= 0 &&
        (level.sigma2 <= 1 || level.alphaBar === 1 || sampler?.kind === "flow")
      )
    )
      add(
        "error",
        "schedule/out-of-range",
        `alpha_bar ${level.alphaBar} ${where} is not between 0 and 1`,
        "a discretization with max_beta clips it, or end the grid a little earlier",
      );
    else if (!takesEnds.has(sampler?.kind ?? "") && !Number.isFinite(level.gamma))
      add(
        sampler === undefined ? "warning" : "error",
        "schedule/infinite-snr",
        `${level.sigma2 === 0 ? "no noise" : "no signal"} is left ${where}: the log SNR is infinite`,
        "end the grid a little earlier, or set log_snr_clip",
      );
    const before = grid[i - 1];
    const rests = before?.t === t && correctsAtRest.has(sampler?.kind ?? "");
    const stands = rests || (position !== undefined && level.gamma === before?.level.gamma);
    if (before !== undefined && !stands && !(level.gamma < before.level.gamma))
      add(
        "error",
        "schedule/not-monotone",
        `the noise ${of && `${of} `}does not fall from t = ${before.t} (alpha_bar ${before.level.alphaBar}) to t = ${t} (alpha_bar ${level.alphaBar})`,
        "the grid runs from the noisiest time to the cleanest, each visited once",
      );
  }
  const first = grid[0]?.level;
  const last = grid.at(-1)?.level;
  if (first !== undefined && signalPart(first) > noisyEnough)
    add(
      "warning",
      "schedule/noisy-end",
      `sampling starts from pure noise, but the noisiest visited level${of && ` ${of}`} still has alpha_bar ${signalPart(first).toPrecision(3)}`,
      `reach alpha_bar below ${noisyEnough} at the start of the grid`,
    );
  if (last !== undefined && signalPart(last) < cleanEnough)
    add(
      "warning",
      "schedule/clean-end",
      `the cleanest visited level${of && ` ${of}`} has alpha_bar ${signalPart(last).toPrecision(3)}: more than half of it is noise`,
      "visit a cleaner time at the end of the grid",
    );
  return problems;
}
