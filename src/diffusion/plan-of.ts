// The plan of any model, as its state space says.

import { planTokens } from "./discrete/token-plan.js";
import { type PlanOptions, planSampler, type SamplerParts } from "./plan.js";
import type { Plan } from "./plans.js";
import { planSimplex } from "./simplex-plan.js";

/** The plan of a description. Throws what `planSampler`, `planSimplex` and `planTokens` throw. */
export function planOf(parts: SamplerParts, options: PlanOptions = {}): Plan {
  const label = parts.conditioning?.class;
  const classes = label && { count: label.count, null_class: label.null_class };
  return { ...ofState(parts, options), ...(classes && { classes }) };
}

function ofState(parts: SamplerParts, options: PlanOptions): Plan {
  switch (parts.state_space?.kind) {
    case "absorbing":
    case "uniform":
    case "hybrid":
    case "matrix":
      return planTokens(parts, options);
    case "simplex":
      return planSimplex(parts, options);
    default:
      return planSampler(parts, options);
  }
}
