// What a decoder sees of the state under classifier-free guidance, or without: all positions.

import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { maskOf } from "../../diffusion/discrete/token-process.js";
import { combination } from "../../diffusion/guidance.js";
import { unconditional } from "../guidance.js";
import type { TokenRunner } from "../token-runner.js";
import { type OpenViews, type ViewSource, wholeViews } from "./views.js";

/** One view of everything, its network guided where the sampler says so. */
export const guidedViews: OpenViews = (source) => wholeViews({ ...source, runner: guided(source) });

/** The network under classifier-free guidance: its answer with what is given and without. */
function guided({ runner, plan, given, encoder }: ViewSource): TokenRunner {
  const { guidance } = plan.sampler;
  if (guidance === undefined) return runner;
  const combine = combination(guidance);
  const without = unconditional({ empty: emptyOf(plan), given, encoder }, runner.length);
  return {
    ...runner,
    async logits(inputs) {
      const conditional = Float64Array.from(await runner.logits(inputs));
      const { tokens, ...rest } = without;
      const free = await runner.logits({ ...inputs, tokens: tokens(inputs.tokens), ...rest });
      return conditional.map((l, at) => combine(l, free[at]!));
    },
  };
}

/** What stands for given tokens in the second call; undefined where they stay. */
function emptyOf({ process, sampler }: TokenPlan) {
  const mask = maskOf(process);
  return sampler.guidance?.empty ?? (mask === undefined ? undefined : { token: mask });
}
