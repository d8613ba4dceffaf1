// Every decoder of discrete states, by the sampler's name in a description.

import { confidenceDecoder } from "./confidence/decoder.js";
import type { Decoders } from "./decoder.js";
import { hittingDecoders } from "./first-hitting.js";
import { revisingDecoders } from "./revising-decoders.js";
import { scoreDecoders } from "./score-decoders.js";

export const decoders: Decoders = {
  ...revisingDecoders,
  ...scoreDecoders,
  ...hittingDecoders,
  confidence: confidenceDecoder,
};
