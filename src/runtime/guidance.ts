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
  /** Tokens [B, L] with the empty ones in their places. */
  tokens(state: Int32Array): Int32Array;
  /** 1 where those tokens do not come from the state, [B, L]. */
  readonly mask: Uint8Array;
  /** Zeros at the same positions of the encoder. */
  readonly encoder?: EncoderRows;
}

/** The second call of a generation with this given. */
export function unconditional({ given, empty, encoder }: Given, length: number): Unconditional {
  const text = empty && emptyText(empty, length);
  const mask = empty?.positions === "all" ? new Uint8Array(given.length).fill(1) : given;
  return {
    tokens: (state) =>
      text === undefined ? state : state.map((token, at) => (mask[at] === 1 ? text[at % length]! : token)),
    mask,
    ...(encoder && { encoder: { ...encoder, values: new Float64Array(encoder.values.length) } }),
  };
}
