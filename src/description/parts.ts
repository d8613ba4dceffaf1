// Which concepts each part of a model consists of.

import type { ResolvedFile } from "./generated/model.js";

/** What `part` may be. */
export type PartName = NonNullable<ResolvedFile["part"]>;

type Concept = Exclude<keyof ResolvedFile, "$schema" | "version" | "name" | "part">;

/** The concepts of a part: those it cannot do without, and those it may have. */
export interface PartConcepts {
  readonly required: readonly Concept[];
  /** Filled in with the schema's default, where it has one. */
  readonly optional: readonly Concept[];
}

/** Every part, by its name in `part`. */
export const parts: Readonly<Record<PartName, PartConcepts>> = {
  model: {
    required: ["state_space", "embedding", "noise_schedule", "timesteps", "blocks"],
    optional: [
      "time_conditioning",
      "prediction_type",
      "self_conditioning",
      "rounding_head",
      "decoder",
      "sampler",
      "conditioning",
      "weights",
    ],
  },
  mixer: { required: ["width", "seq_len", "mixer"], optional: ["weights"] },
  block: { required: ["width", "seq_len", "block"], optional: ["time_conditioning", "weights"] },
  noise_schedule: { required: ["noise_schedule"], optional: ["timesteps", "weights"] },
  sampler: {
    required: ["state_space", "embedding", "noise_schedule", "timesteps"],
    optional: ["time_conditioning", "prediction_type", "rounding_head", "sampler", "conditioning", "weights"],
  },
};

/** Why a concept has no place in a part, and what to do about it. */
export function whereInstead(part: PartName, concept: string): string {
  if (concept === "mixer" && part !== "mixer")
    return 'a mixer stands in "blocks", or alone with "part": "mixer"';
  if (concept === "block" && part !== "block")
    return 'the blocks of a model stand in "blocks"; one alone needs "part": "block"';
  if (concept === "width") return 'the width of a model is "embedding.dim", or the last "embedding.in_proj"';
  if (concept === "seq_len") return 'the sequence length stands in "state_space.seq_len"';
  return `leave it out, or choose a "part" that has it`;
}
