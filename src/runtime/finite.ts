// Logits that are numbers: NaN loses every comparison, and tokens that follow from it would look like any others.

import { fail } from "../support/diagnostic.js";
import type { Decoded, FloatArray } from "./step-runner.js";

/** Throws `generate/not-finite` where one of these logits is NaN or +infinity. */
export function checkFinite(logits: FloatArray): void {
  if (logits.some((value) => !(value < Number.POSITIVE_INFINITY)))
    fail("generate/not-finite", "the network's output is not finite", {
      help: "dlmc check names the op where numbers end",
    });
}

/** The same for what a generation of a continuous state ends in. */
export function checkEnd({ latents, logits }: Partial<Decoded>): void {
  for (const numbers of [latents, logits]) if (numbers !== undefined) checkFinite(numbers);
}
