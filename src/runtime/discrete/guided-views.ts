// What a decoder sees of the state under classifier-free guidance, or without: all positions.

import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { maskOf } from "../../diffusion/discrete/token-process.js";
import { combination, type GuidanceDescription } from "../../diffusion/guidance.js";
import { noClass } from "../classes.js";
import { unconditional } from "../guidance.js";
import type { TokenRunner } from "../token-runner.js";
import { type OpenViews, type ViewSource, wholeViews } from "./views.js";

/** One view of everything: its network guided where the sampler says so, or both answers where the step is. */
export const guidedViews: OpenViews = (source) => {
  const { guidance } = source.plan.sampler;
  if (guidance === undefined) return wholeViews(source);
  const free = withoutGiven(source);
  if (guidance.of !== "step") return wholeViews({ ...source, runner: guided(source.runner, free, guidance) });
  const views = wholeViews(source);
  const others = wholeViews({ ...source, runner: free });
  return {
    ...views,
    async view(open) {
      const { score: scoreFree } = await others.view(open);
      return { ...(await views.view(open)), scoreFree };
    },
  };
};

/** The network under classifier-free guidance: its answer with what is given and without, as one. */
function guided(runner: TokenRunner, free: TokenRunner, guidance: GuidanceDescription): TokenRunner {
  const combine = combination(guidance);
  return {
    ...runner,
    async logits(inputs) {
      // A back end may give the same array twice.
      const conditional = Float64Array.from(await runner.logits(inputs));
      const without = await free.logits(inputs);
      return conditional.map((l, at) => combine(l, without[at]!));
    },
  };
}

/** The network without what is given. */
function withoutGiven({ runner, plan, batch, given, encoder }: ViewSource): TokenRunner {
  const free = unconditional({ empty: emptyOf(plan), given, encoder }, runner.length);
  const classes = noClass(plan, batch);
  return {
    ...runner,
    logits: (inputs) =>
      runner.logits({
        ...inputs,
        tokens: free.tokens(inputs.tokens),
        ...(free.encoder && { encoder: free.encoder }),
        ...(classes && { classes }),
      }),
  };
}

/** What stands for given tokens in the second call; undefined where they stay. */
export function emptyOf({ process, sampler }: TokenPlan) {
  const mask = maskOf(process);
  return sampler.guidance?.empty ?? (mask === undefined ? undefined : { token: mask });
}
