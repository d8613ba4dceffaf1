// What a decoder of discrete states is: it walks from noise to tokens by calling the network and changing the state in
// place, and lets go after every update. The driver around it (driver.ts) does what all of them need: given tokens,
// blocks, hooks, abort, counting.

import type { UniformSource } from "../../diffusion/discrete/draws.js";
import type { TokenSamplerDescription } from "../../diffusion/discrete/sampler-description.js";
import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { fail } from "../../support/diagnostic.js";
import type { FloatArray } from "../step-runner.js";

/** One run of a decoder over the positions of a block. */
export interface DecodeContext {
  readonly plan: TokenPlan;
  readonly batch: number;
  /** Positions that are seen: all L, or those of a block. */
  readonly length: number;
  /** The place of the first of them in the text; what is drawn for a position is that of the text. */
  readonly first: number;
  /** The state, [B, length]; a decoder changes it where `free` says so. */
  readonly tokens: Int32Array;
  /** 1 where the decoder may change the token, [B, length]. */
  readonly free: Uint8Array;
  /** 1 where that position is of the block itself and not of an earlier one; absent: it always is. */
  readonly own?: Uint8Array;
  readonly uniform: UniformSource;
  /** Tokens and positions drawn elsewhere, for replaying recorded choices. */
  readonly chosen?: (draw: number, row: number, position: number) => number | undefined;
  readonly places?: (draw: number, row: number, count: number) => readonly number[] | undefined;
  /** Number of the first draw of this block: two blocks never use the same numbers. */
  readonly firstDraw: number;
  /**
   * The network's output at the state as it stands, [B, length, V]; `level` is what it is told, one number or one per row.
   * `temperature` is what the decoder reads it at, for networks that see their previous output.
   */
  score(level: number | readonly number[], temperature: number | undefined): Promise<FloatArray>;
  /** The same without what is given; present where guidance is of the step, see GuidanceDescription. */
  scoreFree?(level: number | readonly number[], temperature: number | undefined): Promise<FloatArray>;
}

/** An update that was made. */
export interface Update {
  /** How many updates this block has at most. */
  readonly of: number;
  /** The weights of the draws, for those who look: [B, length, categories]; absent where nothing was weighed. */
  readonly weights?: Float64Array;
  /** The visited point, where there is a grid. */
  readonly point?: { readonly t: number; readonly alphaBar: number };
}

/** A decoder: yields after every update of `context.tokens`. */
export type Decoder = (context: DecodeContext) => AsyncGenerator<Update, void, undefined>;

/** Makes the decoder of a sampler. */
export type MakeDecoder = (sampler: TokenSamplerDescription) => Decoder;

/** A table of decoders by the sampler's name in a description. */
export type Decoders = Readonly<Record<string, MakeDecoder>>;

/** The decoder of a sampler. Throws `sampler/unknown`. */
export function decoderOf(sampler: TokenSamplerDescription, decoders: Decoders): Decoder {
  const make = Object.hasOwn(decoders, sampler.kind) ? decoders[sampler.kind] : undefined;
  return (
    make?.(sampler) ??
    fail("sampler/unknown", `there is no decoder "${sampler.kind}" here`, {
      pointer: "/sampler/kind",
      help: `use ${Object.keys(decoders).join(", ")}`,
    })
  );
}

/**
 * Number of draws that a block of `steps` steps, revisions included, may use, for texts of `length` tokens: a confidence
 * decoder goes on for up to two steps a position behind the grid, first-hitting takes two for every position.
 */
export function drawsPerBlock(steps: number, length: number): number {
  return steps + 2 * length + 2;
}
