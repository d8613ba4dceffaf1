// What a back end has to offer so that decoders of discrete diffusion models (masked, uniform) can run a model on it:
// tokens in, logits out. Everything after the logits is float64 arithmetic on the host, shared by every back end,
// because WGSL has no float64 and categorical draws in float32 are known to distort (arXiv 2409.02908).

import type { EncoderPort, EncoderRows, FloatArray } from "./step-runner.js";

/** What one call of the network takes; B is `batch`, L and V are the runner's. */
export interface TokenInputs {
  readonly batch: number;
  /** The state: one token per position, [B, L]. */
  readonly tokens: Int32Array;
  /** The number the time features take, one for the batch or one per row; ignored by a network without time. */
  readonly level: ArrayLike<number>;
  /** For models that attend to one. */
  readonly encoder?: EncoderRows;
}

/** A discrete model on one back end. Methods reject with a `DlmcError` for what the user can mend. */
export interface TokenRunner {
  /** L. */
  readonly length: number;
  /** V, with the mask token where the state space has one. */
  readonly vocabulary: number;
  /** What the model takes of an encoder; undefined where it attends to none. */
  readonly encoder?: EncoderPort;
  /** The head's output as the description's prediction type defines it, [B, L, V]. */
  logits(inputs: TokenInputs): Promise<FloatArray>;
  /** Gives memory and sessions back. */
  dispose(): Promise<void>;
}
