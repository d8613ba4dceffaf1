// The table of samplers that draw every position's next token from weights. Adding one is a file beside this one and a
// line below.

import type { TokenSamplerDescription } from "../sampler-description.js";
import { ancestral } from "./ancestral.js";
import { psi } from "./psi.js";
import type { TokenSampler } from "./sampler.js";
import { analytic, tauLeaping } from "./scores.js";

/** Every sampler of this kind, by the name a description uses. */
export const tokenSamplers = {
  ancestral: ({ move_chance }: TokenSamplerDescription): TokenSampler => ancestral(move_chance),
  psi: ({ kappa }: TokenSamplerDescription): TokenSampler => psi(kappa),
  tau_leaping: (): TokenSampler => tauLeaping,
  analytic: (): TokenSampler => analytic,
} as const;
