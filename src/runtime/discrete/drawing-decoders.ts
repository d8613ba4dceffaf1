// Decoders that draw on a grid of times: for masked and uniform diffusion as it is trained. Samplers that draw from weights
// are one line each in src/diffusion/discrete/samplers and share one decoder.

import { tokenSamplers } from "../../diffusion/discrete/samplers/index.js";
import type { Decoders, MakeDecoder } from "./decoder.js";
import { gridDecoder } from "./grid-decoder.js";

export const drawingDecoders: Decoders = Object.fromEntries(
  Object.entries(tokenSamplers).map(([kind, make]): [string, MakeDecoder] => [
    kind,
    (sampler) => gridDecoder(make, sampler),
  ]),
);
