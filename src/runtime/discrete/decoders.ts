// The table of decoders by the sampler's name in a description. Samplers that draw from weights on a grid of times are
// one line each in src/diffusion/discrete/samplers and share one decoder.

import type { TokenSamplerDescription } from "../../diffusion/discrete/sampler-description.js";
import { tokenSamplers } from "../../diffusion/discrete/samplers/index.js";
import { fail } from "../../support/diagnostic.js";
import { confidenceDecoder } from "./confidence/decoder.js";
import type { Decoder } from "./decoder.js";
import { firstHitting } from "./first-hitting.js";
import { gridDecoder } from "./grid-decoder.js";

type MakeDecoder = (sampler: TokenSamplerDescription) => Decoder;

const onGrid = Object.fromEntries(
  Object.entries(tokenSamplers).map(([kind, make]): [string, MakeDecoder] => [
    kind,
    (sampler) => gridDecoder(make(sampler)),
  ]),
);

/** Every decoder of discrete states. */
export const decoders: Readonly<Record<string, MakeDecoder>> = {
  ...onGrid,
  first_hitting: () => firstHitting,
  confidence: confidenceDecoder,
};

/** The decoder of a sampler. Throws `sampler/unknown`. */
export function decoderOf(sampler: TokenSamplerDescription): Decoder {
  const make = Object.hasOwn(decoders, sampler.kind) ? decoders[sampler.kind] : undefined;
  return (
    make?.(sampler) ??
    fail("sampler/unknown", `there is no sampler "${sampler.kind}" of discrete states`, {
      pointer: "/sampler/kind",
      help: `the samplers are ${Object.keys(decoders).join(", ")}`,
    })
  );
}
