// Logits that are numbers: NaN loses every comparison, and tokens that follow from it would look like any others.

import { fail } from "../support/diagnostic.js";
import type { FloatArray } from "./step-runner.js";

/** Throws `generate/not-finite` where one of these logits is NaN or +infinity. */
export function checkFinite(logits: FloatArray, where = "the network's output"): void {
  for (let v = 0; v < logits.length; v++)
    if (!(logits[v]! < Number.POSITIVE_INFINITY))
      fail("generate/not-finite", `${where} is not finite, so no token follows from it`, {
        help: "dlmc check names the op at which numbers stop being finite",
      });
}
