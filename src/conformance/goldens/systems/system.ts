// What a system of the golden data is to the runner: a test for its cases and the computation of one case.

import type { Computed } from "../compare.js";
import type { GoldenCase } from "../golden-case.js";

export interface GoldenSystem {
  /** As printed. */
  readonly name: string;
  /** Whether a case is of this system; the system's name in case.json may stand for several. */
  covers(golden: GoldenCase): boolean;
  /**
   * Describes the case, computes its tensors on every back end. `work` is an empty directory that is
   * removed afterwards. Throws DlmcError where dlmc cannot express what the case asks for.
   */
  compute(golden: GoldenCase, work: string): Promise<readonly Computed[]>;
}

/**
 * Whether case.json's system begins with this name of lower-case letters and digits, whatever its capitals, blanks and
 * signs: "LLaDA2.1 decode" is of llada2.
 */
export function isNamed(golden: GoldenCase, name: string): boolean {
  return golden.system
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .startsWith(name);
}
