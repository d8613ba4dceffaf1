// What JSON Schema cannot say: how fields must fit each other. Every rule has a stable code and points at both
// sides of the disagreement. A concept's rules are a file in rules/; adding a concept adds a line here.

import type { Report } from "../support/diagnostic.js";
import type { Description } from "./description.js";
import { checkBlocks } from "./rules/blocks.js";
import { checkCache } from "./rules/cache.js";
import { checkClassLabel } from "./rules/class-label.js";
import { checkDecoder } from "./rules/decoder.js";
import { checkEncoder } from "./rules/encoder.js";
import { checkFlow } from "./rules/flow.js";
import { checkGuidance } from "./rules/guidance.js";
import { checkLatent } from "./rules/latent.js";
import { checkLongSkip } from "./rules/long-skip.js";
import { checkOutput } from "./rules/output.js";
import { checkPrefix } from "./rules/prefix.js";
import { checkRate } from "./rules/rate.js";
import { checkSampling } from "./rules/sampling.js";
import { checkSelfConditioning } from "./rules/self-conditioning.js";
import { checkState } from "./rules/state.js";
import { checkTime } from "./rules/time.js";
import { checkTokenIds } from "./rules/token-ids.js";
import { checkTokenSchedule } from "./rules/token-schedule.js";
import { checkTransition } from "./rules/transition.js";
import { checkWeights } from "./rules/weights.js";

const rules: readonly ((description: Description, report: Report) => void)[] = [
  checkBlocks,
  checkEncoder,
  checkClassLabel,
  checkLongSkip,
  checkTime,
  checkState,
  checkTokenSchedule,
  checkTransition,
  checkSelfConditioning,
  checkTokenIds,
  checkLatent,
  checkDecoder,
  checkGuidance,
  checkPrefix,
  checkOutput,
  checkFlow,
  checkSampling,
  checkRate,
  checkCache,
  checkWeights,
];

/** Reports every broken rule of a resolved description. */
export function checkRules(description: Description, report: Report): void {
  for (const rule of rules) rule(description, report);
}
