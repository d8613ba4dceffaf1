// The two kinds of plan, by the state that they sample.

import { fail } from "../support/diagnostic.js";
import type { TokenPlan } from "./discrete/token-plan.js";
import type { SamplerPlan, StateSpaceDescription } from "./plan.js";

/** What a sampling loop walks. */
export type Plan = SamplerPlan | TokenPlan;

/** Whether the state is one token per position. */
export function isDiscrete(state: StateSpaceDescription | undefined): boolean {
  return state?.kind === "absorbing" || state?.kind === "uniform";
}

/** Whether the plan is one of tokens. */
export function isTokenPlan(plan: Plan): plan is TokenPlan {
  return "process" in plan;
}

/** A plan of a continuous state. Throws `sampler/discrete-plan` for one of tokens. */
export function samplerPlanOf(plan: Plan): SamplerPlan {
  return isTokenPlan(plan)
    ? fail("sampler/discrete-plan", "the plan is one of tokens, not a table of Gaussian updates", {
        help: "generateTokens takes both kinds",
      })
    : plan;
}

/** A plan of tokens. Throws `sampler/continuous-plan` for one of a continuous state. */
export function tokenPlanOf(plan: Plan): TokenPlan {
  return isTokenPlan(plan)
    ? plan
    : fail("sampler/continuous-plan", "the plan is one of Gaussian updates, not of tokens", {
        help: "generateTokens takes both kinds",
      });
}
