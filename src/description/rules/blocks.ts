// Rules of blocks: the mixer and the feed-forward network against the trunk's width and the sequence length.

import type { Report } from "../../support/diagnostic.js";
import type { Description, FeedForward, MoeFeedForward } from "../description.js";
import { decoderBlocks, placedBlocks } from "../widths.js";
import { checkMixer } from "./mixer.js";
import { decoderSizes, type PlacedSize, placedLength, placedWidth } from "./place.js";

/** Checks every mixer and feed-forward network of the description. */
export function checkBlocks(description: Description, report: Report): void {
  const sizes = { width: placedWidth(description), length: placedLength(description) };
  if (description.part === "mixer") checkMixer(description.mixer, { ...sizes, pointer: "/mixer", report });
  const decoder = description.part === "model" ? decoderSizes(description) : undefined;
  for (const [blocks, { width, length }] of [
    [placedBlocks(description), sizes],
    [decoderBlocks(description), decoder ?? sizes],
  ] as const)
    for (const { block, pointer } of blocks) {
      checkMixer(block.mixer, { width, length, pointer: `${pointer}/mixer`, report });
      checkFeedForward(block.ffn, width, `${pointer}/ffn`, report);
    }
  if (description.part === "block" && description.block.repeat !== 1)
    report.error("model/block-repeat", `a block alone is one block, not ${description.block.repeat}`, {
      pointer: "/block/repeat",
      help: "leave it out",
    });
}

/** A block-diagonal matrix cannot have more blocks than rows or columns. */
function checkFeedForward(ffn: FeedForward, width: PlacedSize, pointer: string, report: Report): void {
  if (ffn.kind === "parallel") {
    ffn.branches.forEach((branch, k) => {
      checkFeedForward(branch.ffn, width, `${pointer}/branches/${k}/ffn`, report);
    });
    return;
  }
  if (ffn.kind === "moe") {
    checkExperts(ffn, pointer, report);
    checkFeedForward(ffn.shared, width, `${pointer}/shared`, report);
    return;
  }
  if (ffn.kind === "none" || ffn.structure.kind === "dense") return;
  const { blocks } = ffn.structure;
  const least = Math.min(width.value, ffn.hidden);
  if (blocks > least)
    report.error(
      "model/too-many-matrix-blocks",
      `${blocks} blocks do not fit into a matrix of ${least} rows`,
      {
        pointer: `${pointer}/structure/blocks`,
        notes: [
          ffn.hidden < width.value
            ? { message: "its hidden width", pointer: `${pointer}/hidden` }
            : width.note,
        ],
      },
    );
}

/** The router must find top_k experts in the groups that it keeps. */
function checkExperts({ experts, top_k, router }: MoeFeedForward, pointer: string, report: Report): void {
  const { count, keep } = router.groups;
  const groups = `${pointer}/router/groups`;
  if (experts % count !== 0)
    report.error("model/expert-groups", `${experts} experts do not divide into ${count} groups`, {
      pointer: `${groups}/count`,
      notes: [{ message: "the experts", pointer: `${pointer}/experts` }],
    });
  else if (keep > count)
    report.error("model/expert-groups", `${keep} of ${count} groups cannot be kept`, {
      pointer: `${groups}/keep`,
      help: "keep is at most count",
    });
  else if (top_k > (experts / count) * keep)
    report.error(
      "model/too-few-experts",
      keep === count
        ? `${top_k} of ${experts} experts cannot be chosen`
        : `${top_k} experts cannot be chosen from ${keep} groups of ${experts / count}`,
      { pointer: `${pointer}/top_k`, help: `top_k is at most ${(experts / count) * keep}` },
    );
}
