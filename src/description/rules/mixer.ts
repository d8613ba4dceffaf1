// Rules of mixers.

import type {
  AdaptiveConvMixer,
  AfnoMixer,
  AttentionMixer,
  BucketedBias,
  GatedRecurrenceMixer,
  GlobalFilterMixer,
  LinearAttentionMixer,
  Mixer,
} from "../description.js";
import { checkChain, checkParallel, checkWidth } from "./composed.js";
import { checkAdaptive, checkShortConv, gatedAtStart } from "./convolution.js";
import { checkLongConv } from "./long-conv.js";
import { divisorList, type MixerPlace } from "./place.js";

/** Checks one mixer, which leads back to the width of its place. */
export function checkMixer(mixer: Mixer, place: MixerPlace): void {
  checkPart(mixer, place);
  checkWidth(mixer, place);
}

/** Checks a mixer that may be a part of another. */
function checkPart(mixer: Mixer, place: MixerPlace): void {
  if (mixer.kind === "chain") checkChain(mixer, place, checkPart);
  if (mixer.kind === "parallel") checkParallel(mixer, place, checkPart);
  if (mixer.kind === "attention") checkAttention(mixer, place);
  else if (mixer.kind === "long_conv") checkLongConv(mixer, place);
  else if (mixer.kind === "short_conv") checkShortConv(mixer, place.pointer, place.report);
  else if (mixer.kind === "afno") checkAfno(mixer, place);
  else if (mixer.kind === "global_filter") checkGlobalFilter(mixer, place);
  else if (mixer.kind === "adaptive_conv") checkAdaptiveConv(mixer, place);
  else if (mixer.kind === "conv") checkShortConv(mixer, place.pointer, place.report);
  else if (mixer.kind === "gated_recurrence") checkRecurrence(mixer, place);
  else if (mixer.kind === "linear_attention") checkLinearAttention(mixer, place);
  else if (mixer.kind === "selective_ssm" && mixer.short_conv.kind === "depthwise")
    checkShortConv(mixer.short_conv, `${place.pointer}/short_conv`, place.report);
}

function checkAdaptiveConv({ in_proj, filter }: AdaptiveConvMixer, place: MixerPlace): void {
  if (in_proj.kind === "glu") gatedAtStart(place);
  checkAdaptive(filter, { ...place, pointer: `${place.pointer}/filter` });
}

function checkRecurrence({ blocks }: GatedRecurrenceMixer, { pointer, width, report }: MixerPlace): void {
  if (width.value % blocks === 0) return;
  report.error("model/recurrence-blocks", `${blocks} blocks do not divide the width ${width.value}`, {
    pointer: `${pointer}/blocks`,
    notes: [width.note],
    help: `numbers of blocks that divide it: ${divisorList(width.value, blocks)}`,
  });
}

function checkAfno(mixer: AfnoMixer, { pointer, width, report }: MixerPlace): void {
  const { blocks, spectrum, kept, over } = mixer;
  if (over === "positions_and_blocks" && spectrum !== "full")
    report.error("model/afno-over", "a transform over the blocks too has no half that stands for the rest", {
      pointer: `${pointer}/over`,
      notes: [{ message: "the spectrum", pointer: `${pointer}/spectrum` }],
      help: 'use the spectrum "full"',
    });
  if (spectrum === "full" && kept < 1)
    report.error("model/afno-kept", "all bins of a full spectrum are kept", {
      pointer: `${pointer}/kept`,
      notes: [{ message: "the spectrum", pointer: `${pointer}/spectrum` }],
      help: 'leave "kept" out, or use the spectrum "half"',
    });
  if (width.value % blocks === 0) return;
  report.error("model/afno-blocks", `${blocks} blocks do not divide the width ${width.value}`, {
    pointer: `${pointer}/blocks`,
    notes: [width.note],
    help: `numbers of blocks that divide it: ${divisorList(width.value, blocks)}`,
  });
}

/** Heads against the width and each other; false when they do not divide the width. */
export function checkHeads(
  { heads, kv_heads, head_dim }: Pick<AttentionMixer, "heads" | "kv_heads" | "head_dim">,
  { pointer, width, report }: Pick<MixerPlace, "pointer" | "width" | "report">,
): boolean {
  // Written out, head_dim may be anything: out_proj leads back to the width. Derived, it is a part of the width.
  if (head_dim === Math.floor(width.value / heads) && width.value % heads !== 0) {
    report.error("model/heads-divide", `${heads} heads do not divide the width ${width.value}`, {
      pointer: `${pointer}/heads`,
      notes: [width.note],
      help: `numbers of heads that divide it: ${divisorList(width.value, heads)}`,
    });
    return false;
  }
  if (heads % kv_heads !== 0)
    report.error("model/kv-heads-divide", `${kv_heads} key heads do not divide ${heads} heads`, {
      pointer: `${pointer}/kv_heads`,
      notes: [{ message: "the query heads", pointer: `${pointer}/heads` }],
      help: `numbers that divide it: ${divisorList(heads, kv_heads)}`,
    });
  return true;
}

function checkGlobalFilter({ rows }: GlobalFilterMixer, { pointer, length, report }: MixerPlace): void {
  if (length.value % rows === 0) return;
  report.error("model/grid-rows", `a grid of ${rows} rows does not hold ${length.value} positions`, {
    pointer: `${pointer}/rows`,
    notes: [length.note],
    help: `numbers of rows that do: ${divisorList(length.value, rows)}`,
  });
}

function checkAttention(mixer: AttentionMixer, place: MixerPlace): void {
  const { mask } = mixer;
  const { pointer, length, report } = place;
  if (mask.kind === "canvas" && mask.canvas > length.value)
    report.error(
      "model/canvas-length",
      `a canvas of ${mask.canvas} positions does not fit into ${length.value}`,
      {
        pointer: `${pointer}/mask/canvas`,
        notes: [length.note],
      },
    );
  if (mixer.position_bias.kind === "bucketed") checkBuckets(mixer.position_bias, place);
  if (checkHeads(mixer, place)) checkRope(mixer, place);
}

function checkLinearAttention(mixer: LinearAttentionMixer, place: MixerPlace): void {
  const { heads } = mixer;
  const head_dim = Math.floor(place.width.value / heads);
  if (checkHeads({ heads, kv_heads: heads, head_dim }, place)) checkRope({ ...mixer, head_dim }, place);
}

/** The rotated part of a head is pairs of channels. */
function checkRope(
  { heads, head_dim, rope }: Pick<AttentionMixer, "heads" | "head_dim" | "rope">,
  { pointer, report }: MixerPlace,
): void {
  if (rope.kind === "none") return;
  const rotated = rope.fraction * head_dim;
  if (!Number.isInteger(rotated) || rotated % 2 !== 0)
    report.error(
      "model/rope-odd",
      `rotary positions turn pairs of channels, but ${rope.fraction} of ${head_dim} channels are ${rotated}`,
      {
        pointer: `${pointer}/rope${rope.fraction === 1 ? "" : "/fraction"}`,
        notes: [{ message: `${heads} heads of ${head_dim} channels`, pointer: `${pointer}/heads` }],
        help: "the rotated part of a head must be an even number of channels",
      },
    );
}

/** Buckets of one distance each end before the largest distance. */
function checkBuckets(
  { buckets, max_distance: last, directions }: BucketedBias,
  { pointer, report }: MixerPlace,
): void {
  const exact = Math.floor((directions === "both" ? buckets / 2 : buckets) / 2);
  if (last > exact) return;
  report.error(
    "model/bias-buckets",
    `${exact} buckets of one distance each leave none up to distance ${last}`,
    {
      pointer: `${pointer}/position_bias/max_distance`,
      notes: [{ message: "the buckets", pointer: `${pointer}/position_bias/buckets` }],
      help: `max_distance is at least ${exact + 1}`,
    },
  );
}
