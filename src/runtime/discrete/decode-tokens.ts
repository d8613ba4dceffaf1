// decodeTokens(): the driver with every decoder there is.

import type { TokenRunner } from "../token-runner.js";
import { eitherViews } from "./block-views.js";
import { decoders } from "./decoders.js";
import { type DecodeOptions, type DecodeState, decodeWith } from "./driver.js";

/** Decode, yielding a state after every update, and the last one once more as `done`. Throws what `decodeWith` throws. */
export function decodeTokens(
  runner: TokenRunner,
  options: DecodeOptions,
): AsyncGenerator<DecodeState, void, undefined> {
  return decodeWith(decoders, runner, options, eitherViews);
}
