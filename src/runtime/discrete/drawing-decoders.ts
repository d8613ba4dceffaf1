// Decoders that draw: for masked and uniform diffusion as it is trained. Samplers that draw from weights on a grid of
// times are one line each in src/diffusion/discrete/samplers and share one decoder.

import { tokenSamplers } from "../../diffusion/discrete/samplers/index.js";
import type { Decoders, MakeDecoder } from "./decoder.js";
import { firstHitting } from "./first-hitting.js";
import { gridDecoder } from "./grid-decoder.js";

const onGrid = Object.fromEntries(
  Object.entries(tokenSamplers).map(([kind, make]): [string, MakeDecoder] => [
    kind,
    (sampler) => gridDecoder(make, sampler),
  ]),
);

export const drawingDecoders: Decoders = { ...onGrid, first_hitting: () => firstHitting };
