// The tables of samplers that draw every position's next token from weights. Adding one is a file beside this one and a
// line below.

import type { TokenSamplerDescription } from "../sampler-description.js";
import { ancestral } from "./ancestral.js";
import { discreteFlow } from "./discrete-flow.js";
import { cleanTokens, psi } from "./psi.js";
import type { TokenSampler } from "./sampler.js";
import { analytic, tauLeaping } from "./scores.js";

/** Makes a sampler; what draws from the network's answer is `by` of it, which guides the step where a description says so. */
export type MakeTokenSampler = (
  description: TokenSamplerDescription,
  by: (sampler: TokenSampler) => TokenSampler,
) => TokenSampler;

export type TokenSamplers = Readonly<Record<string, MakeTokenSampler>>;

/** Samplers made of probabilities, by the name a description uses. */
export const posteriorSamplers: TokenSamplers = {
  ancestral: ({ move_chance }, by) => by(ancestral(move_chance)),
  psi: (_, by) => psi(by(ancestral()), by(cleanTokens)),
  discrete_flow: ({ jump }, by) => by(discreteFlow(jump)),
};

/** Samplers made of scores. */
export const scoreSamplers: TokenSamplers = {
  tau_leaping: (_, by) => by(tauLeaping),
  analytic: (_, by) => by(analytic),
};
