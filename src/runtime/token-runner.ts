// What a back end has to offer so that decoders of discrete diffusion models (masked, uniform) can run a model on it:
// tokens in, logits out. Everything after the logits is float64 arithmetic on the host, shared by every back end,
// because WGSL has no float64 and categorical draws in float32 are known to distort (arXiv 2409.02908).

import type { EncoderPort, EncoderRows, FloatArray } from "./step-runner.js";

/** What the call before gave, for networks that see it (self-conditioning). */
export interface PreviousLogits {
  /** [B, L, V], as the decoder read them: guided, and as `onLogits` left them. An array that a runner gave is unchanged. */
  readonly logits: FloatArray;
  /** The temperature that the decoder read them at. */
  readonly temperature: number;
}

/** What one call of the network takes; B is `batch`, L and V are the runner's. */
export interface TokenInputs {
  readonly batch: number;
  /** The state: one token per position, [B, L]. */
  readonly tokens: Int32Array;
  /** The number the time features take, one for the batch or one per row; ignored by a network without time. */
  readonly level: ArrayLike<number>;
  /** Absent in the first call of a block; ignored by a network that is not self-conditioned. */
  readonly previous?: PreviousLogits;
  /** For models that attend to one. */
  readonly encoder?: EncoderRows;
  /** The class of each text, [B], for models that are told one. */
  readonly classes?: Int32Array;
}

/** What one call for a block takes; s is the session's. */
export interface BlockInputs {
  /** The block's tokens, [B, s]; those of positions beyond L do not matter. */
  readonly tokens: Int32Array;
  /** One for the batch or one per row, as in `TokenInputs`. */
  readonly level: ArrayLike<number>;
}

/**
 * One text of each row from left to right: what the network computed of settled positions is kept. A call computes the s
 * positions from the first that is not settled on, which are called the block under way.
 */
export interface BlockSession {
  /** s. */
  readonly size: number;
  /** The rows of `TokenRunner.logits` that belong to the block under way, [B, s, V]. */
  logits(inputs: BlockInputs): Promise<FloatArray>;
  /**
   * Settles the first `count` positions of the block under way with these tokens: a multiple of what
   * src/diffusion/discrete/cached-blocks.ts says, at most s. Never all positions of the text. The logits come back as those
   * of `logits`.
   */
  settle(inputs: BlockInputs, count: number): Promise<FloatArray>;
  close(): void;
}

/** A discrete model on one back end. Methods reject with a `DlmcError` for what the user can mend. */
export interface TokenRunner {
  /** L. */
  readonly length: number;
  /** V, with the mask token where the state space has one. */
  readonly vocabulary: number;
  /** What the model takes of an encoder; undefined where it attends to none. */
  readonly encoder?: EncoderPort;
  /** Whether logits depend on `previous`: the same state may then be asked for again. */
  readonly selfConditioned?: boolean;
  /** The head's output as the description's prediction type defines it, [B, L, V]. */
  logits(inputs: TokenInputs): Promise<FloatArray>;
  /**
   * Begins `count` sessions beside each other, of `batch` texts each; absent where the model has no exact cache. All of
   * them are to be closed.
   */
  openBlocks?(batch: number, count: number): readonly BlockSession[];
  /** Gives memory and sessions back. */
  dispose(): Promise<void>;
}
