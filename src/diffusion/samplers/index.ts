// The table of Gaussian samplers. Adding one is a file beside this one and a line below.

import { fail } from "../../support/diagnostic.js";
import { ddim } from "./ddim.js";
import { ddpm, type PosteriorVariance } from "./ddpm.js";
import { dpmpp2m } from "./dpmpp-2m.js";
import { euler, renoise } from "./euler.js";
import { flow } from "./flow.js";
import { heun } from "./heun.js";
import type { GaussianSampler } from "./sampler.js";
import { tempered } from "./tempered.js";

/** `sampler` of a description: the kind and its options. */
export interface SamplerDescription {
  readonly kind: string;
  /** ddim: 0 is deterministic, 1 has ddpm's noise. */
  readonly eta?: number;
  /** ddpm: which variance. */
  readonly variance?: PosteriorVariance;
  /** ddpm: noise is drawn again until no number is larger; 0: never. */
  readonly truncation?: number;
  /** ddim, ddpm: what the predicted noise is divided by; 1 changes nothing. */
  readonly score_temperature?: number;
  /** ddim, ddpm: where an update leads, see `levelBelow`; without it to the next visited level. */
  readonly next?: "grid" | "one_step";
  /** flow: how much noise each step mixes in; 0 is deterministic. */
  readonly churn?: number;
  /** flow: least 1 - alpha that the velocity divides by. */
  readonly t_eps?: number;
  /** How the loop ends, see `SamplerPlan.final`. */
  readonly final?: "round" | "denoise";
}

/** Every Gaussian sampler, by the name a description uses. */
export const gaussianSamplers = {
  ddpm: (options: SamplerDescription): GaussianSampler => ddpm(options.variance),
  ddim: (options: SamplerDescription): GaussianSampler => ddim(options.eta),
  euler: (): GaussianSampler => euler,
  heun: (): GaussianSampler => heun,
  dpmpp_2m: (): GaussianSampler => dpmpp2m,
  flow: (options: SamplerDescription): GaussianSampler => flow(options.churn, options.t_eps),
  renoise: (): GaussianSampler => renoise,
} as const;

/** Bind a sampler's options. Throws `sampler/unknown` for a kind that is not in the table. */
export function bindSampler(description: SamplerDescription): GaussianSampler {
  if (!Object.hasOwn(gaussianSamplers, description.kind))
    return fail("sampler/unknown", `there is no Gaussian sampler "${description.kind}"`, {
      pointer: "/sampler/kind",
    });
  const sampler = gaussianSamplers[description.kind as keyof typeof gaussianSamplers](description);
  const { score_temperature: tau = 1 } = description;
  return tau === 1 ? sampler : tempered(sampler, tau);
}
