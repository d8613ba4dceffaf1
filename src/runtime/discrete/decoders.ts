// Every decoder of discrete states, by the sampler's name in a description.

import { confidenceDecoder } from "./confidence/decoder.js";
import type { Decoders } from "./decoder.js";
import { drawingDecoders } from "./drawing-decoders.js";
import { hittingDecoders } from "./first-hitting.js";

export const decoders: Decoders = {
  ...drawingDecoders,
  ...hittingDecoders,
  confidence: confidenceDecoder,
};
