// The plan of any model: Gaussian or discrete, as its state space says.

import { planTokens } from "./discrete/token-plan.js";
import { type PlanOptions, planSampler, type SamplerParts } from "./plan.js";
import { isDiscrete, type Plan } from "./plans.js";

/** The plan of a description. Throws what `planSampler` and `planTokens` throw. */
export function planOf(parts: SamplerParts, options: PlanOptions = {}): Plan {
  return isDiscrete(parts.state_space) ? planTokens(parts, options) : planSampler(parts, options);
}
