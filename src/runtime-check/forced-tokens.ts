// A generation of tokens seen update by update, and, on request, led along another's states: what a network then decides at
// each of them is compared without the mistakes before it.

import { decodeTokens } from "../runtime/discrete/decode-tokens.js";
import type { DecodeOptions } from "../runtime/discrete/driver.js";
import type { TokenRunner } from "../runtime/token-runner.js";

/** The state [B, L] that every update came to; with `expected` the next one starts from that of the same number there. */
export async function* forcedTokens(
  runner: TokenRunner,
  options: Omit<DecodeOptions, "onTokens">,
  expected?: readonly Int32Array[],
): AsyncGenerator<Int32Array, void, undefined> {
  let reached = 0;
  let before: Int32Array | undefined;
  const onTokens = (tokens: Int32Array): void => {
    before = tokens.slice();
    if (expected !== undefined) tokens.set(expected[reached++]!);
  };
  for await (const { done, tokens } of decodeTokens(runner, { ...options, onTokens }))
    if (!done) yield before ?? tokens;
}
