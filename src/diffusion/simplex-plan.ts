// The plan of a model with a simplex state (TESS): the Gaussian table of a(x0), b(x) and noise, and how logits become x0.
// A clean state is `value` at the token and -value elsewhere; noise is `value` times standard normal. With both scaled,
// the table is that of embeddings.

import type { Choice } from "./discrete/choice.js";
import type { GuidanceDescription } from "./guidance.js";
import { type PlanOptions, planSampler, type SamplerParts, type SamplerPlan } from "./plan.js";

/** How predicted logits become the clean state of an update (schema: sampler.projection). */
export type Projection = { readonly kind: "argmax" } | ({ readonly kind: "sample" } & Choice);

/** Everything the loop of a simplex state needs besides the network. */
export interface SimplexPlan extends SamplerPlan {
  readonly kind: "simplex";
  /** The logit of the token in a clean state. */
  readonly value: number;
  readonly projection: Projection;
  readonly guidance?: GuidanceDescription;
  /** Self-conditioning sees a projection of the logits instead of themselves. */
  readonly projectsBack?: true;
}

/** The plan of a description with a simplex state. Throws what `planSampler` throws. */
export function planSimplex(parts: SamplerParts, options: PlanOptions = {}): SimplexPlan {
  const { projection = { kind: "argmax" }, guidance } = parts.sampler as Partial<SimplexPlan>;
  return {
    ...planSampler(parts, options),
    kind: "simplex",
    value: parts.state_space?.value ?? 5,
    projection,
    ...(guidance && { guidance }),
    ...(parts.self_conditioning?.signal === "projection" && { projectsBack: true as const }),
  };
}
