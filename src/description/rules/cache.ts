// What an exact cache of settled blocks needs: nothing that a network computes of them may change any more. So no mixer
// sees further than the end of its own block of positions, what settles are whole blocks, and the noise level is not told.

import type { Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription } from "../description.js";
import { sightsOf } from "../sight.js";
import { describedBlocks } from "../widths.js";

const here = "/sampler/blocks";
const notes = [{ message: "the cache", pointer: `${here}/cache` }];

/** Checks a description whose blocks are to be cached. */
export function checkCache(description: Description, report: Report): void {
  if (description.part !== "model") return;
  const { sampler, state_space: state } = description;
  const blocks = "blocks" in sampler ? sampler.blocks : undefined;
  if (blocks === undefined || state.kind === "continuous_embedding") return;
  if (blocks.cache !== "exact") {
    if (blocks.settle !== undefined)
      report.error("model/cache-settle", "nothing settles for good without an exact cache", {
        pointer: `${here}/settle`,
        notes,
        help: 'leave "settle" out, or use "cache": "exact"',
      });
    return;
  }
  checkNetwork(description, report);
  const { settle = blocks.length } = blocks;
  for (const { block, pointer } of describedBlocks(description.blocks))
    for (const { pointer: place, block: own, sees } of sightsOf(block.mixer)) {
      const at = `${pointer}/mixer${place}`;
      if (own === undefined)
        report.error("model/cache-mixer", `settled blocks cannot be kept: ${sees}`, {
          pointer: at,
          notes,
          help: 'use causal or block_causal mixers, or leave "cache" out',
        });
      else if (settle % own !== 0)
        report.error(
          "model/cache-settle",
          `${settle} settled positions are no whole number of blocks of ${own}`,
          {
            pointer: `${here}/settle`,
            notes: [{ message: "the mixer's blocks", pointer: at }],
            help: 'leave "settle" out: the least fitting number is taken',
          },
        );
    }
}

function checkNetwork(
  { sampler, conditioning, time_conditioning: time, self_conditioning: self }: ModelDescription,
  report: Report,
): void {
  if ("blocks" in sampler && sampler.blocks?.leftovers === "compete")
    report.error("model/cache-leftovers", "positions of settled blocks cannot be placed any more", {
      pointer: `${here}/leftovers`,
      notes,
      help: 'use "leftovers": "stay", or leave "cache" out',
    });
  if (self.combine !== "none")
    report.error(
      "model/cache-self-conditioning",
      "settled blocks would change with what was predicted of them",
      {
        pointer: "/self_conditioning/combine",
        notes,
        help: 'leave "cache" or self-conditioning out',
      },
    );
  if (conditioning.encoder !== undefined)
    report.error("model/cache-encoder", "settled blocks are kept without the encoder that they attended to", {
      pointer: "/conditioning/encoder",
      notes,
      help: 'leave "cache" or "encoder" out',
    });
  if (time.injection !== "none" && time.input !== "zero" && time.input !== "constant")
    report.error(
      "model/cache-level",
      "the network is told the noise level, so what it computes of settled blocks changes with it",
      {
        pointer: "/time_conditioning/input",
        notes,
        help: 'use "input": "zero", or no time conditioning',
      },
    );
}
