// What a decoder sees of the state under classifier-free guidance, or without: all positions.

import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { maskOf } from "../../diffusion/discrete/token-process.js";
import type { TokenRunner } from "../token-runner.js";
import { type OpenViews, wholeViews } from "./views.js";

/** One view of everything, its network guided where the sampler says so. */
export const guidedViews: OpenViews = (source) =>
  wholeViews({ ...source, runner: guided(source.runner, source.plan, source.given) });

/** The network under classifier-free guidance: its answer with the given tokens and, masked, without them. */
function guided(runner: TokenRunner, { sampler, process }: TokenPlan, given: Uint8Array): TokenRunner {
  const { guidance } = sampler;
  const mask = maskOf(process);
  if (guidance === undefined || mask === undefined) return runner;
  const { scale: w, form = "difference" } = guidance;
  return {
    ...runner,
    async logits(inputs) {
      const conditional = Float64Array.from(await runner.logits(inputs));
      const tokens = inputs.tokens.map((token, at) => (given[at] === 1 ? mask : token));
      const free = await runner.logits({ ...inputs, tokens });
      return conditional.map((l, at) => {
        const u = free[at]!;
        return form === "difference" ? u + (w + 1) * (l - u) : w * l + (1 - w) * u;
      });
    },
  };
}
