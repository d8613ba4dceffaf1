// A description for another sequence length than its own: `--length` builds.

import type { Report } from "../support/diagnostic.js";
import type { Description } from "./description.js";
import { checkRules } from "./rules.js";
import { sequenceLength } from "./widths.js";

/**
 * The description with its sequence length replaced and nothing else: filters and position tables keep the
 * length they were made for. Reports what does not reach that far, such as `model/filter-short` and
 * `model/positions-short`.
 */
export function atLength(description: Description, length: number, report: Report): Description {
  if (length === sequenceLength(description) || description.part === "noise_schedule") return description;
  const changed: Description =
    description.part === "mixer" || description.part === "block"
      ? { ...description, seq_len: length }
      : { ...description, state_space: { ...description.state_space, seq_len: length } };
  checkRules(changed, report);
  return changed;
}
