// A description for another sequence length than its own: `--length` builds.

import type { Report } from "../support/diagnostic.js";
import type { Description } from "./description.js";
import { checkRules } from "./rules.js";
import { sequenceLength } from "./widths.js";

/** The longest sequence that a description may have. */
const longest = 2 ** 24;

/**
 * The description with its sequence length replaced and nothing else: filters and position tables keep the
 * length they were made for. Reports what does not reach that far, such as `model/filter-short` and
 * `model/positions-short`.
 */
export function atLength(description: Description, length: number, report: Report): Description {
  if (length === sequenceLength(description) || description.part === "noise_schedule") return description;
  const whole = Number.isInteger(length) && length >= 1 && length <= longest;
  if (!whole) {
    report.error("model/range", `expected a length from 1 to ${longest}, found ${length}`, {
      pointer: "seq_len" in description ? "/seq_len" : "/state_space/seq_len",
    });
    return description;
  }
  const changed: Description =
    description.part === "mixer" || description.part === "block"
      ? { ...description, seq_len: length }
      : { ...description, state_space: { ...description.state_space, seq_len: length } };
  checkRules(changed, report);
  return changed;
}
