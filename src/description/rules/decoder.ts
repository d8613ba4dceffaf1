// Rules of a decoder of latents: what it reads, how its blocks reach the latents, and the head behind it.

import type { Report } from "../../support/diagnostic.js";
import type { Decoder, Description, ModelDescription } from "../description.js";
import { decoderBlocks } from "../widths.js";
import { checkHeads } from "./mixer.js";
import { decoderSizes, placedLength } from "./place.js";
import { checkPositions } from "./position-table.js";

const here = "/decoder";

/** Checks the decoder of a description that has one. */
export function checkDecoder(description: Description, report: Report): void {
  if (description.part !== "model" || description.decoder === undefined) return;
  const { decoder, state_space: state } = description;
  if (state.kind !== "latent") {
    report.error(
      "model/decoder-state",
      "a decoder turns latents into tokens, and this state is none of them",
      {
        pointer: here,
        notes: [{ message: `the state is ${state.kind}`, pointer: "/state_space/kind" }],
        help: 'leave it out, or use the state "latent"',
      },
    );
    return;
  }
  checkPositions(decoder.positions, `${here}/positions`, placedLength(description), report);
  checkCross(description, decoder, report);
  checkHead(description, report);
}

/** Learned queries read the latents by cross-attention alone; without them the blocks begin with the latents. */
function checkCross(description: ModelDescription, { queries }: Decoder, report: Report): void {
  const { width } = decoderSizes(description)!;
  let read = false;
  for (const { block, pointer } of decoderBlocks(description)) {
    if (block.cross_attention === undefined) continue;
    read = true;
    const place = `${pointer}/cross_attention`;
    if (queries.kind === "none")
      report.error(
        "model/decoder-cross",
        "the blocks begin with the latents, and have no others to attend to",
        {
          pointer: place,
          help: 'leave it out, or use "queries": { "kind": "learned", "length": .. }',
        },
      );
    checkHeads(block.cross_attention, { pointer: place, width, report });
  }
  if (queries.kind === "learned" && !read)
    report.error("model/decoder-unread", "no block of the decoder reads the latents", {
      pointer: `${here}/queries`,
      help: 'give its blocks a "cross_attention"',
    });
}

function checkHead({ rounding_head: head }: ModelDescription, report: Report): void {
  const refuse = (field: string, message: string, help: string): void => {
    report.error("model/decoder-head", message, {
      pointer: `/rounding_head/${field}`,
      notes: [{ message: "the decoder", pointer: here }],
      help,
    });
  };
  if (head.kind !== "linear") {
    refuse("kind", "the decoder's vectors become tokens by a linear head", 'use "linear"');
    return;
  }
  if (head.tied) refuse("tied", "there is no embedding table that the head could be tied to", "leave it out");
  if (head.reads !== "output") refuse("reads", "the head reads what the decoder gives", "leave it out");
  if (head.clamp !== "none")
    refuse("clamp", "a prediction of latents has no embeddings to go to", "leave it out");
}
