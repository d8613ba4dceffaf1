// Rules of positions at levels of their own: lists have as many columns as there are positions, and what has no position
// is not told the time of one.

import { levelsDiffer } from "../../diffusion/position-grid.js";
import type { Note, Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription } from "../description.js";
import { positionAxes } from "../positions.js";
import { placedLength } from "./place.js";

/** Checks a description with a position axis in its schedule or its grid. */
export function checkPositions(description: Description, report: Report): void {
  if (!("noise_schedule" in description)) return;
  const { noise_schedule: schedule, timesteps } = description;
  if (schedule.family === "table" && Array.isArray(schedule.alpha_bars))
    checkColumns("/noise_schedule/alpha_bars", schedule.alpha_bars, description, report);
  if (schedule.family === "table") checkTable(description, schedule, report);
  if (timesteps?.kind === "table") checkColumns("/timesteps/values", timesteps.values, description, report);
  if (timesteps === undefined || !levelsDiffer(schedule, timesteps)) return;
  const where = axisOf(description)!;
  const notes = [{ message: "levels of each position", pointer: where }];
  if (description.part !== "model" && description.part !== "sampler") {
    if ("per_position" in timesteps)
      report.error("model/positions-alone", "a schedule alone has no positions that could walk its grid", {
        pointer: where,
        help: 'leave it out, or use "part": "sampler"',
      });
    return;
  }
  const { kind } = description.state_space;
  if (kind !== "continuous_embedding")
    report.error("model/positions-state", `positions of a state ${kind} are at one noise level`, {
      pointer: where,
      notes: [{ message: "the state", pointer: "/state_space/kind" }],
      help: "leave it out",
    });
  if (
    "next" in description.sampler &&
    description.sampler.next === "one_step" &&
    where.startsWith("/timesteps")
  )
    report.error("model/positions-next", "a step that leads one trained step down lets no position wait", {
      pointer: "/sampler/next",
      notes,
      help: 'use "grid"',
    });
  if (description.part === "model" && positionAxes(description).level) checkTold(description, notes, report);
}

/** Where a description's position axis stands; the grid's before the schedule's. */
function axisOf(description: Description): string | undefined {
  if (!("noise_schedule" in description)) return undefined;
  const { noise_schedule: schedule, timesteps } = description;
  if (timesteps?.kind === "table" && Array.isArray(timesteps.values[0])) return "/timesteps/values";
  if (timesteps !== undefined && "per_position" in timesteps) return "/timesteps/per_position";
  if (schedule.family !== "table") return undefined;
  return schedule.positions === undefined ? "/noise_schedule/alpha_bars" : "/noise_schedule/positions";
}

/** Rows of a list are numbers, or lists that reach as far as the text. */
function checkColumns(
  pointer: string,
  rows: readonly (number | readonly number[])[],
  description: Description,
  report: Report,
): void {
  const columns = (row: number | readonly number[]): number => (typeof row === "number" ? 0 : row.length);
  const first = columns(rows[0]!);
  const odd = rows.findIndex((row) => columns(row) !== first);
  const told = (count: number): string => (count === 0 ? "a number" : `a list of ${count}`);
  if (odd > 0) {
    report.error(
      "model/rows-differ",
      `row ${odd} is ${told(columns(rows[odd]!))}, the first ${told(first)}`,
      {
        pointer: `${pointer}/${odd}`,
        notes: [{ message: "the first row", pointer: `${pointer}/0` }],
        help: "write one number a row, or one of each position in every row",
      },
    );
    return;
  }
  if (first > 0) checkReach(first, `${pointer}/0`, description, report);
}

function checkReach(columns: number, pointer: string, description: Description, report: Report): void {
  if (description.part === "noise_schedule") return;
  const { value, note } = placedLength(description);
  if (columns < value)
    report.error("model/levels-short", `levels of ${columns} positions for a text of ${value}`, {
      pointer,
      notes: [note],
      help: `give ${value} or more; a shorter text uses the first ones`,
    });
}

/** The number of columns is said where a tensor holds them. */
function checkTable(
  description: Description,
  { positions, alpha_bars: listed }: { readonly positions?: number; readonly alpha_bars: unknown },
  report: Report,
): void {
  if (positions === undefined) return;
  const pointer = "/noise_schedule/positions";
  if (!Array.isArray(listed)) {
    checkReach(positions, pointer, description, report);
    return;
  }
  const first: unknown = listed[0];
  const columns = Array.isArray(first) ? first.length : 0;
  if (columns !== positions)
    report.error("model/table-positions", `the rows have ${columns || "no"} columns, not ${positions}`, {
      pointer,
      notes: [{ message: "the first row", pointer: "/noise_schedule/alpha_bars/0" }],
      help: "leave it out",
    });
}

/** Tokens before the sequence stand at no position, so nothing of theirs follows the time of one. */
function checkTold(
  { time_conditioning: time, embedding }: ModelDescription,
  notes: readonly Note[],
  report: Report,
): void {
  if (time.injection === "prefix_tokens")
    report.error(
      "model/positions-prefix",
      "prefix tokens tell all positions one time, and each has its own",
      {
        pointer: "/time_conditioning/injection",
        notes,
        help: 'use "additive" or "ada_ln", or an input that is the same for all positions',
      },
    );
  if (time.injection === "ada_ln" && embedding.prefix.length > 0)
    report.error("model/positions-prefix", "ada_ln modulates the prefix too, which stands at no position", {
      pointer: "/embedding/prefix",
      notes,
      help: 'leave the prefix out, or use "additive"',
    });
}
