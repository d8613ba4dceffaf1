// The sampler of a discrete state as a description has it (schema/sampler.schema.json).

/** `sampler` of a description with a discrete state. */
export interface TokenSamplerDescription {
  readonly kind: string;
  readonly move_chance?: "schedule" | "time";
  readonly temperature?: number;
  readonly top_k?: number;
  readonly top_p?: number;
  /** What the call after the last update gives, see `TokenPlan.final`. */
  readonly final?: "argmax" | "sample" | "none";
  /** Positions are generated in blocks of this length. */
  readonly blocks?: { readonly length: number };
}
