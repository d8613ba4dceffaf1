// The sampler of a discrete state as a description has it (schema/sampler.schema.json).

import type { GuidanceDescription } from "../guidance.js";

/** How much of a step of the psi sampler is ancestral; its numbers per step are src/diffusion/discrete/samplers/psi.ts. */
export type KappaDescription =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "table"; readonly values: readonly number[] }
  | { readonly kind: "capped" | "rescaled" | "fixed"; readonly eta: number };

/** How many open positions are placed in a step; the members of each kind stand beside its rule in the runtime. */
export interface QuotaDescription {
  readonly kind: string;
  readonly [member: string]: unknown;
}

export type ScoreName = "probability" | "log_probability" | "margin" | "neg_entropy" | "random" | "position";

/** How much a flow goes back and forth; its formula is in flow-rates.ts. */
export interface CorrectorDescription {
  readonly scale?: number;
  readonly signal_power?: number;
  readonly noise_power?: number;
}

/** Revising the text after the last step; its rule is revise.ts. */
export interface SelfCorrectionDescription {
  readonly t?: number;
  readonly temperature?: number;
  readonly tokens_per_step?: number;
  readonly max_steps?: number;
  readonly patience?: number;
}

/** `sampler` of a description with a discrete state; which members matter depends on the kind. */
export interface TokenSamplerDescription {
  readonly kind: string;
  readonly move_chance?: "schedule" | "time";
  readonly kappa?: KappaDescription;
  readonly corrector?: CorrectorDescription;
  readonly jump?: "exponential" | "linear";
  readonly temperature?: number;
  readonly top_k?: number;
  readonly top_p?: number;
  readonly nucleus_of?: "all" | "top_k";
  readonly nucleus_edge?: "in" | "out";
  /** What the call after the last update gives, see `TokenPlan.final`. */
  readonly final?: "argmax" | "sample" | "none";
  /** Positions are generated in blocks of this length. */
  readonly blocks?: {
    readonly length: number;
    readonly from?: "start" | "prompt";
    /** What is kept of settled blocks, see `TokenRunner.openBlocks`. */
    readonly cache?: "none" | "exact";
    /** Whether masked positions of earlier blocks are open beside those of the block under way. */
    readonly leftovers?: "stay" | "compete";
    /** Positions settle in multiples of this many, see cached-blocks.ts. */
    readonly settle?: number;
    /** No block is decoded after one by which every text has one of these. */
    readonly stop_tokens?: readonly number[];
    /** Nor after one that leaves every text with one of these or with last tokens of less entropy. */
    readonly stop_entropy?: { readonly window?: number; readonly bound?: number };
  };
  readonly guidance?: GuidanceDescription;
  readonly self_correction?: SelfCorrectionDescription;
  readonly score?: ScoreName;
  readonly score_from?: "logits" | "choice";
  readonly quota?: QuotaDescription;
  readonly final_temperature?: number;
  readonly select_temperature?: number;
  readonly final_select_temperature?: number;
  readonly suppress_tokens?: readonly number[];
  readonly edit?:
    | { readonly kind: "none" }
    | { readonly kind: "threshold"; readonly threshold: number; readonly max_steps?: number };
  readonly renoise?: "keep" | "uniform";
  readonly stop?:
    | { readonly kind: "none" }
    | { readonly kind: "stable"; readonly steps?: number; readonly entropy?: number };
}
