// Defaults of the sampler, which follow from the state, from what the network predicts and from its blocks.

import type { Blocks, PredictionType, Sampler, StateSpace } from "./generated/input.js";
import { commonBlock } from "./sight.js";

/** The sampler with its kind and its end. */
export function deriveSampler(
  sampler: Sampler | undefined,
  state: StateSpace,
  prediction: PredictionType | undefined,
): Sampler {
  if (!["continuous_embedding", "latent", "simplex"].includes(state.kind))
    return sampler ?? { kind: "ancestral" };
  const described = sampler ?? { kind: state.kind === "simplex" ? "renoise" : "ddim" };
  const final = prediction?.x0_from === "softmax_embedding" ? "denoise" : "round";
  switch (described.kind) {
    case "ddim":
    case "ddpm":
    case "euler":
    case "dpmpp_2m":
    case "renoise":
    case "flow":
      return { final, ...described };
    default:
      return described;
  }
}

/** Whole blocks of the sampler settle where they are whole blocks of every mixer. */
export function deriveSettling(sampler: Sampler, network: Blocks): Sampler {
  if (!("blocks" in sampler) || sampler.blocks?.cache !== "exact") return sampler;
  const { length, from } = sampler.blocks;
  const common = commonBlock(network);
  const settle = from !== "prompt" && length % common === 0 ? length : common;
  return { ...sampler, blocks: { settle, ...sampler.blocks } };
}
