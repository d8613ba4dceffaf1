// The network of a simplex state under classifier-free guidance: two calls, and both answers as one.

import { softmaxInto } from "../../diffusion/discrete/choice.js";
import { combination, type GuidanceDescription } from "../../diffusion/guidance.js";
import type { Classed } from "../../diffusion/plan.js";
import type { SimplexPlan } from "../../diffusion/simplex-plan.js";
import { noClass } from "../classes.js";
import { unconditional } from "../guidance.js";
import type { FloatArray } from "../step-runner.js";
import type { SimplexInputs, SimplexRunner } from "./simplex-runner.js";

/** The logit of a token with no probability: finite, because a network may see it next. */
const excluded = -1e4;

/** What a call gives. */
export interface SimplexAnswer {
  /** What is projected, [B, L, V]. */
  readonly logits: FloatArray;
  /** What the next call's self-conditioning sees, [B, L, V]. */
  readonly fedBack: FloatArray;
}

/** The network, under guidance if there is any. */
export function simplexNetwork(runner: SimplexRunner, plan: Pick<SimplexPlan, "guidance" | "classes">) {
  const { guidance } = plan;
  return async (inputs: SimplexInputs): Promise<SimplexAnswer> => {
    if (guidance === undefined) {
      const logits = await runner.predict(inputs);
      return { logits, fedBack: logits };
    }
    const l = Float64Array.from(await runner.predict(inputs));
    const u = await runner.predict(without(inputs, guidance, plan, runner.length));
    const logits = guided(guidance, l, u, runner.vocabulary);
    return { logits, fedBack: guidance.fed_back === "conditional" ? l : logits };
  };
}

function without(
  inputs: SimplexInputs,
  { empty }: GuidanceDescription,
  plan: Classed,
  length: number,
): SimplexInputs {
  const classes = noClass(plan, inputs.batch);
  const { tokens, mask, encoder } = unconditional(
    { given: inputs.fixedMask, empty, encoder: inputs.encoder },
    length,
  );
  return {
    ...inputs,
    fixedMask: mask,
    fixedTokens: tokens(inputs.fixedTokens),
    ...(encoder && { encoder }),
    ...(classes && { classes }),
  };
}

/** Combined logits, or the logarithms of combined probabilities. */
function guided(guidance: GuidanceDescription, l: Float64Array, u: FloatArray, n: number): Float64Array {
  const combine = combination(guidance);
  if (guidance.of !== "probabilities") return l.map((value, at) => combine(value, u[at]!));
  const out = new Float64Array(l.length);
  const [p, q] = [new Float64Array(n), new Float64Array(n)];
  for (let at = 0; at < l.length; at += n) {
    softmaxInto(l.subarray(at, at + n), 1, p);
    softmaxInto(u.subarray(at, at + n), 1, q);
    for (let v = 0; v < n; v++)
      out[at + v] = Math.max(excluded, Math.log(Math.max(0, combine(p[v]!, q[v]!))));
  }
  return out;
}
