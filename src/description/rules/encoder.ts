// Rules of cross-attention: who reads an encoder's output has one, and one that is given is read.

import type { Report } from "../../support/diagnostic.js";
import type { Description } from "../description.js";
import { placedBlocks } from "../widths.js";
import { checkHeads } from "./mixer.js";
import { placedWidth } from "./place.js";

const given = "/conditioning/encoder";

/** Checks cross_attention of the blocks against conditioning.encoder. */
export function checkEncoder(description: Description, report: Report): void {
  const encoder = "conditioning" in description ? description.conditioning.encoder : undefined;
  let read = false;
  for (const { block, pointer } of placedBlocks(description)) {
    if (block.cross_attention === undefined) continue;
    read = true;
    const place = `${pointer}/cross_attention`;
    if (encoder === undefined)
      report.error("model/cross-without-encoder", "cross-attention reads an encoder, and none is given", {
        pointer: place,
        help:
          description.part === "model"
            ? 'add "encoder": { "length": .., "dim": .. } to "conditioning"'
            : "a block alone has none: describe a whole model",
      });
    checkHeads(block.cross_attention, { pointer: place, width: placedWidth(description), report });
  }
  if (encoder !== undefined && !read)
    report.error("model/encoder-unread", "no block reads the encoder", {
      pointer: given,
      help:
        description.part === "model"
          ? 'give blocks a "cross_attention", or leave "encoder" out'
          : "a sampler alone calls no network: leave it out",
    });
}
