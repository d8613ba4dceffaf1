// Rules of mixers.

import type { Note, Report } from "../../support/diagnostic.js";
import type {
  AdaptiveConvMixer,
  AdaptiveFilter,
  AfnoMixer,
  AttentionMixer,
  BucketedBias,
  DepthwiseConv,
  GlobalFilterMixer,
  LongConvMixer,
  Mixer,
  OuterProductGating,
  ShortConvMixer,
} from "../description.js";
import { filteredWidth } from "../widths.js";
import { checkFilter } from "./filter.js";
import { divisorList, type MixerPlace } from "./place.js";

/** Checks one mixer. */
export function checkMixer(mixer: Mixer, place: MixerPlace): void {
  if (mixer.kind === "attention") checkAttention(mixer, place);
  else if (mixer.kind === "long_conv") checkLongConv(mixer, place);
  else if (mixer.kind === "short_conv") checkShortConv(mixer, place.pointer, place.report);
  else if (mixer.kind === "afno") checkAfno(mixer, place);
  else if (mixer.kind === "global_filter") checkGlobalFilter(mixer, place);
  else if (mixer.kind === "adaptive_conv") checkAdaptiveConv(mixer, place);
  else if (mixer.kind === "selective_ssm" && mixer.short_conv.kind === "depthwise")
    checkShortConv(mixer.short_conv, `${place.pointer}/short_conv`, place.report);
}

function checkAdaptiveConv({ in_proj, filter }: AdaptiveConvMixer, place: MixerPlace): void {
  if (in_proj.kind === "glu") gatedAtStart(place);
  checkAdaptive(filter, { ...place, pointer: `${place.pointer}/filter` });
}

function checkAdaptive(filter: AdaptiveFilter, { pointer, width, report }: MixerPlace): void {
  if (filter.kind === "spectral_magnitude") checkOdd(filter.taps, pointer, report);
  else if (width.value % filter.heads !== 0)
    report.error("model/heads-divide", `${filter.heads} heads do not divide the width ${width.value}`, {
      pointer: `${pointer}/heads`,
      notes: [width.note],
      help: `numbers of heads that divide it: ${divisorList(width.value, filter.heads)}`,
    });
}

function gatedAtStart({ pointer, report }: MixerPlace): void {
  report.error("model/glu-in", "a gated projection stands at the end of a mixer", {
    pointer: `${pointer}/in_proj/kind`,
    help: 'use "linear"',
  });
}

function checkAfno({ blocks, spectrum, kept }: AfnoMixer, { pointer, width, report }: MixerPlace): void {
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
  const { heads, head_dim, rope, mask } = mixer;
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
  if (!checkHeads(mixer, place) || rope.kind === "none") return;
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

function checkLongConv(mixer: LongConvMixer, place: MixerPlace): void {
  const { pointer, report } = place;
  const { gating, in_proj, short_conv, residual_conv: residual } = mixer;
  if (gating.kind !== "none" && in_proj.kind === "none")
    report.error("model/gating-streams", `${gating.kind} gating needs in_proj to make its streams`, {
      pointer: `${pointer}/in_proj`,
      notes: [{ message: "the gating", pointer: `${pointer}/gating` }],
      help: 'leave "in_proj" out: it is linear',
    });
  if (in_proj.kind === "glu") gatedAtStart(place);
  if (mixer.channels > 1 && (gating.kind !== "none" || residual.kind !== "none"))
    report.error(
      "model/channels-gating",
      "several filters per channel cannot be gated or run beside another",
      {
        pointer: `${pointer}/channels`,
        notes: [{ message: "the gating", pointer: `${pointer}/gating` }],
        help: 'use "channels": 1, or leave the gating out',
      },
    );
  if (mixer.channels > 1 && mixer.out_proj.kind === "none")
    report.error(
      "model/channels-width",
      "several filters per channel need out_proj to lead back to the width",
      {
        pointer: `${pointer}/out_proj`,
        notes: [{ message: "the filters per channel", pointer: `${pointer}/channels` }],
        help: 'leave "out_proj" out: it is linear',
      },
    );
  checkInner(mixer, place);
  if (mixer.adaptive_filter.kind !== "none") checkBeside(mixer, mixer.adaptive_filter, place);
  if (gating.kind === "outer_product") checkOuterProduct(mixer, gating, place);
  if (short_conv.kind === "depthwise") checkShortConv(short_conv, `${pointer}/short_conv`, report);
  const filtered = { ...place.width, value: filteredWidth(mixer, place.width.value) };
  // A filter reaches as far as its block.
  const blocks = mixer.filter.span === "circular" ? 1 : mixer.blocks;
  const length = { ...place.length, value: Math.ceil(place.length.value / blocks) };
  checkFilter(mixer.filter, { ...place, width: filtered, length, pointer: `${pointer}/filter` });
  // A derived filter is the mixer's own; its problems were just reported.
  if (residual.kind === "long_conv" && JSON.stringify(residual.filter) !== JSON.stringify(mixer.filter))
    checkFilter(residual.filter, { ...place, pointer: `${pointer}/residual_conv/filter` });
}

/** An adaptive filter beside a fixed one: both are convolved with one whole stream. */
function checkBeside(mixer: LongConvMixer, filter: AdaptiveFilter, place: MixerPlace): void {
  const { pointer, width, report } = place;
  const { channels, channel_mixing, blocks, gating, inner_factor } = mixer;
  if (channels > 1 || channel_mixing === "dense" || blocks > 1 || gating.kind === "outer_product")
    report.error("model/adaptive-streams", "an adaptive filter is convolved with a whole stream", {
      pointer: `${pointer}/adaptive_filter`,
      help: "leave it out, or channels, channel_mixing, blocks and the gating outer_product",
    });
  const streams = { ...width, value: width.value * inner_factor };
  checkAdaptive(filter, { ...place, width: streams, pointer: `${pointer}/adaptive_filter` });
}

/** Sizes inside a long convolution: streams, heads, blocks. */
function checkInner(mixer: LongConvMixer, { pointer, width, length, report }: MixerPlace): void {
  const { inner_factor: factor, heads, blocks, in_proj, out_proj, residual_conv: residual, filter } = mixer;
  const around = in_proj.kind !== "none" && out_proj.kind !== "none" && residual.kind === "none";
  if (factor > 1 && !around)
    report.error("model/inner-factor", "wider streams need both projections and no convolution beside them", {
      pointer: `${pointer}/inner_factor`,
      help: 'use "inner_factor": 1, or linear projections and no "residual_conv"',
    });
  if ((width.value * factor) % heads !== 0)
    report.error(
      "model/conv-heads",
      `${heads} heads do not divide streams of width ${width.value * factor}`,
      {
        pointer: `${pointer}/heads`,
        notes: [width.note],
        help: `numbers of heads that divide it: ${divisorList(width.value * factor, heads)}`,
      },
    );
  if (mixer.head_filters === "shared" && (mixer.channels > 1 || mixer.gating.kind === "outer_product"))
    report.error("model/shared-filters", "filters shared by heads are one per channel of a plain stream", {
      pointer: `${pointer}/head_filters`,
      help: 'use "own", or "groups" of the filter',
    });
  if (mixer.channel_mixing === "dense" && (mixer.gating.kind !== "none" || mixer.channels > 1 || heads > 1))
    report.error("model/dense-gating", "filters between all channels have neither gates, copies nor heads", {
      pointer: `${pointer}/channel_mixing`,
      notes: [{ message: "the gating", pointer: `${pointer}/gating` }],
      help: 'use "depthwise", or leave gating, channels and heads out',
    });
  if (length.value % blocks !== 0)
    report.error("model/conv-blocks", `${blocks} blocks do not divide ${length.value} positions`, {
      pointer: `${pointer}/blocks`,
      notes: [length.note],
      help: `numbers of blocks that divide it: ${divisorList(length.value, blocks)}`,
    });
  if (blocks > 1 && filter.span === "circular")
    report.error("model/blocks-circular", "a circular filter is as long as the sequence, not as a block", {
      pointer: `${pointer}/blocks`,
      notes: [{ message: "the span", pointer: `${pointer}/filter/span` }],
      help: 'use the span "causal" or "bidirectional"',
    });
}

function checkOuterProduct(
  { skip }: LongConvMixer,
  { head_dim, key_filter }: OuterProductGating,
  place: MixerPlace,
): void {
  const { pointer, width, report } = place;
  if (width.value % head_dim !== 0)
    report.error(
      "model/head-dim-divide",
      `heads of ${head_dim} channels do not divide the width ${width.value}`,
      {
        pointer: `${pointer}/gating/head_dim`,
        notes: [width.note],
        help: `sizes of heads that divide it: ${divisorList(width.value, head_dim)}`,
      },
    );
  if (skip === "input")
    report.error(
      "model/skip-outer",
      "an outer product has no stream before its gate that is as wide as it is",
      {
        pointer: `${pointer}/skip`,
        notes: [{ message: "the gating", pointer: `${pointer}/gating` }],
        help: 'use "gated_input": the product itself',
      },
    );
  checkFilter(key_filter, { ...place, pointer: `${pointer}/gating/key_filter` });
}

function checkShortConv(
  { span, taps }: DepthwiseConv | ShortConvMixer,
  pointer: string,
  report: Report,
): void {
  if (span === "centered")
    checkOdd(taps, pointer, report, [{ message: "the span", pointer: `${pointer}/span` }]);
}

/** A centred convolution has as many taps on both sides. */
function checkOdd(taps: number, pointer: string, report: Report, notes: readonly Note[] = []): void {
  if (taps % 2 === 0)
    report.error("model/taps-even", `a centered convolution has an odd number of taps, not ${taps}`, {
      pointer: `${pointer}/taps`,
      notes,
      help: `use ${taps - 1} or ${taps + 1} taps`,
    });
}
