// Rules of long skips: a block in the second half of the trunk reads one in the first.

import type { Report } from "../../support/diagnostic.js";
import type { Description } from "../description.js";
import { listBlocks, type PlacedBlock } from "../widths.js";

/** Checks that every block with a long skip has a block before it to read. */
export function checkLongSkip(description: Description, report: Report): void {
  if (description.part === "block" && description.block.long_skip !== "none")
    report.error("model/long-skip", "a block alone has no other whose output it could read", {
      pointer: "/block/long_skip",
      help: "leave it out",
    });
  if (description.part !== "model") return;
  checkList(listBlocks(description), report);
  if (description.decoder) checkList(listBlocks(description.decoder, "/decoder/blocks"), report);
}

function checkList(blocks: readonly PlacedBlock[], report: Report): void {
  const reported = new Set<string>();
  for (const { index, block, pointer } of blocks) {
    const mirrored = blocks.length - 1 - index;
    if (block.long_skip === "none" || mirrored < index || reported.has(pointer)) continue;
    reported.add(pointer);
    report.error(
      "model/long-skip",
      `block ${index} of ${blocks.length} would read block ${mirrored}, which does not stand before it`,
      {
        pointer: `${pointer}/long_skip`,
        help: "only blocks of the second half have a long skip: list them apart",
      },
    );
  }
}
