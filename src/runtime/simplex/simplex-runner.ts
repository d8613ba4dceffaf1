// What a back end has to offer so that the loop of simplex states can run a model on it: noisy logits in, predicted logits
// out. Projection and noise are the loop's, on the host, where a draw is the same number for every back end.

import type { EncoderPort, EncoderRows, FloatArray } from "../step-runner.js";

/** What one call of the network takes; B is `batch`, L and V are the runner's. */
export interface SimplexInputs {
  readonly batch: number;
  /** The state S, [B, L, V]. */
  readonly simplex: FloatArray;
  /** The logits of the call before, [B, L, V], zeros at the first: the self-conditioning. */
  readonly previous: FloatArray;
  /** The number the time features take; ignored by a network without time. */
  readonly level: number;
  /** 1 where the token is given, [B, L]. */
  readonly fixedMask: Uint8Array;
  /** The given tokens, [B, L]; 0 elsewhere. */
  readonly fixedTokens: Int32Array;
  /** For models that attend to one. */
  readonly encoder?: EncoderRows;
  /** The class of each text, [B], for models that are told one. */
  readonly classes?: Int32Array;
}

/** A model of a simplex state on one back end. Methods reject with a `DlmcError` for what the user can mend. */
export interface SimplexRunner {
  /** L. */
  readonly length: number;
  /** V. */
  readonly vocabulary: number;
  /** What the model takes of an encoder; undefined where it attends to none. */
  readonly encoder?: EncoderPort;
  /** Logits of the clean tokens, [B, L, V]. */
  predict(inputs: SimplexInputs): Promise<FloatArray>;
  /** Gives memory and sessions back. */
  dispose(): Promise<void>;
}
