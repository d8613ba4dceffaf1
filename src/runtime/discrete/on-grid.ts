// Decoders of samplers that draw from weights on a grid of times: one line each in src/diffusion/discrete/samplers, and one
// decoder for all.

import type { TokenSamplers } from "../../diffusion/discrete/samplers/index.js";
import type { Decoders, MakeDecoder } from "./decoder.js";
import { gridDecoder, type Revise } from "./grid-decoder.js";

/** Decoders of these samplers; `revise` is for those that revise the text, which bundles of others do without. */
export const onGrid = (samplers: TokenSamplers, revise?: Revise): Decoders =>
  Object.fromEntries(
    Object.entries(samplers).map(([kind, make]): [string, MakeDecoder] => [
      kind,
      (sampler) => gridDecoder(make, sampler, revise),
    ]),
  );
