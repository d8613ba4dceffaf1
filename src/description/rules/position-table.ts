// Rules of absolute positions: a table reaches the end of what it is added to.

import type { Report } from "../../support/diagnostic.js";
import type { Positions } from "../description.js";
import type { PlacedSize } from "./place.js";

/** Checks the positions that stand at `pointer` against the length of a sequence. */
export function checkPositions(
  positions: Positions,
  pointer: string,
  length: PlacedSize,
  report: Report,
): void {
  if (positions.kind !== "learned") return;
  const { length: rows, offset } = positions;
  if (rows < length.value + offset)
    report.error(
      "model/positions-short",
      offset === 0
        ? `the position table has ${rows} rows, the sequence ${length.value} positions`
        : `the position table has ${rows} rows, the sequence ${length.value} positions from row ${offset} on`,
      { pointer: `${pointer}/length`, notes: [length.note], help: 'leave "length" out' },
    );
}
