// Rules of long convolutions.

import type { AdaptiveFilter, LongConvMixer, OuterProductGating } from "../description.js";
import { filteredWidth } from "../widths.js";
import { checkAdaptive, checkShortConv, gatedAtStart } from "./convolution.js";
import { checkFilter } from "./filter.js";
import { divisorList, type MixerPlace } from "./place.js";

/** Checks one long convolution. */
export function checkLongConv(mixer: LongConvMixer, place: MixerPlace): void {
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
