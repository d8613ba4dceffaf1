// The kinds of plan, by the state that they sample.

import { fail } from "../support/diagnostic.js";
import type { TokenPlan } from "./discrete/token-plan.js";
import type { SamplerPlan } from "./plan.js";
import type { SimplexPlan } from "./simplex-plan.js";

/** What a sampling loop walks. */
export type Plan = SamplerPlan | TokenPlan | SimplexPlan;

/** Whether the plan is one of tokens. */
export function isTokenPlan(plan: Plan): plan is TokenPlan {
  return "process" in plan;
}

/** Whether the plan is one of a simplex state. */
export function isSimplexPlan(plan: Plan): plan is SimplexPlan {
  return "projection" in plan;
}

/** A plan of a state of embeddings. Throws `sampler/discrete-plan` for one of tokens or of a simplex. */
export function samplerPlanOf(plan: Plan): SamplerPlan {
  return isTokenPlan(plan) || isSimplexPlan(plan)
    ? fail("sampler/discrete-plan", "the plan is one of tokens, not a table of updates of embeddings", {
        help: "generateTokens takes every kind",
      })
    : plan;
}

/** A plan of a simplex state. Throws `sampler/not-simplex` for another. */
export function simplexPlanOf(plan: Plan): SimplexPlan {
  return !isTokenPlan(plan) && isSimplexPlan(plan)
    ? plan
    : fail("sampler/not-simplex", "the plan is not one of a simplex state", {
        help: "generateTokens takes every kind",
      });
}

/** A plan of tokens. Throws `sampler/continuous-plan` for one of a continuous state. */
export function tokenPlanOf(plan: Plan): TokenPlan {
  return isTokenPlan(plan)
    ? plan
    : fail("sampler/continuous-plan", "the plan is one of Gaussian updates, not of tokens", {
        help: "generateTokens takes every kind",
      });
}
