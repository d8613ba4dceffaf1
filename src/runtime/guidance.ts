// The network's second call under classifier-free guidance, where the loop is on the host: what it is given in the place
// of tokens and an encoder's output.

import { type EmptyTokens, emptyText } from "../diffusion/guidance.js";
import type { EncoderRows } from "./step-runner.js";

/** What is given in a generation. */
export interface Given {
  /** 1 where a token is given, [B, L]. */
  readonly given: Uint8Array;
  /** What stands for those; undefined: they stay. */
  readonly empty: EmptyTokens | undefined;
  readonly encoder: EncoderRows | undefined;
}

/** What the second call is given instead. */
export interface Unconditional {
  /** Tokens [B, L] with the empty ones at given positions. */
  tokens(state: Int32Array): Int32Array;
  /** Zeros at the same positions of the encoder. */
  readonly encoder?: EncoderRows;
}

export function unconditional({ given, empty, encoder }: Given, length: number): Unconditional {
  const text = empty && emptyText(empty, length);
  return {
    tokens: (state) =>
      text === undefined ? state : state.map((token, at) => (given[at] === 1 ? text[at % length]! : token)),
    ...(encoder && { encoder: { ...encoder, values: new Float64Array(encoder.values.length) } }),
  };
}
