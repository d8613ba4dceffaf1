// Rules of filters: how their taps fit a mixer and a sequence.

import type { Report } from "../../support/diagnostic.js";
import type { Filter, HankelFilter, ModalFilter } from "../description.js";
import { unmixedFilters } from "../widths.js";
import { divisorList, type MixerPlace } from "./place.js";

/** Checks one filter; the width of the place is what its groups must divide. */
export function checkFilter(filter: Filter, { pointer, width, length, report }: MixerPlace): void {
  const { span, reverse_filter: reverse, groups } = filter;
  if (width.value % groups !== 0)
    report.error("model/groups-divide", `${groups} groups do not divide the width ${width.value}`, {
      pointer: `${pointer}/groups`,
      notes: [width.note],
      help: `numbers of groups that divide it: ${divisorList(width.value, groups)}`,
    });
  const negative = span === "bidirectional" || span === "block_causal";
  if (negative !== (reverse !== "none"))
    report.error(
      "model/reverse-filter",
      negative
        ? `a ${span} filter needs a reverse filter for its negative lags`
        : `a ${span} filter has no negative lags for the reverse filter "${reverse}"`,
      {
        pointer: `${pointer}/reverse_filter`,
        notes: [{ message: "the span", pointer: `${pointer}/span` }],
        help: negative ? 'use "offset_lag1", or the span "causal"' : 'leave "reverse_filter" out',
      },
    );
  const block = "block" in filter ? filter.block : undefined;
  if ((span === "block_causal") !== (block !== undefined))
    report.error(
      "model/filter-block",
      span === "block_causal"
        ? "a block_causal filter needs the length of its blocks"
        : `a ${span} filter has no blocks`,
      {
        pointer: span === "block_causal" ? `${pointer}/span` : `${pointer}/block`,
        notes: span === "block_causal" ? [] : [{ message: "the span", pointer: `${pointer}/span` }],
        help: span === "block_causal" ? 'give "block", or use the span "causal"' : 'leave "block" out',
      },
    );
  if (span === "circular" && filter.length !== length.value)
    report.error(
      "model/circular-length",
      `a circular filter is as long as the sequence: ${length.value}, not ${filter.length}`,
      { pointer: `${pointer}/length`, notes: [length.note], help: 'leave "length" out' },
    );
  if (filter.kind === "explicit" && filter.smoothing % 2 === 0)
    report.error("model/smoothing-even", `a centred average has an odd width, not ${filter.smoothing}`, {
      pointer: `${pointer}/smoothing`,
      help: `use ${filter.smoothing - 1} or ${filter.smoothing + 1}`,
    });
  if (filter.kind === "hankel") checkHankel(filter, pointer, report);
  if (filter.kind === "modal") checkModal(filter, pointer, report);
  if (filter.kind !== "implicit_mlp") return;
  // Computed features exist at any position; stored ones, and the halves of full_2l, end where they were made to.
  if (filter.length < length.value && (filter.features === "stored" || filter.reverse_filter === "full_2l"))
    report.error(
      "model/filter-short",
      `the filter was built for ${filter.length} positions, the sequence has ${length.value}`,
      {
        pointer: `${pointer}/length`,
        notes: [length.note],
        help: "stored features are cut to shorter sequences, never stretched to longer ones; computed ones go on",
      },
    );
  if (filter.features === "relative" && (filter.reverse_filter === "full_2l" || filter.emb_dim !== 1))
    report.error(
      "model/relative-features",
      "a relative position is one number, and has no second half of taps",
      {
        pointer: `${pointer}/features`,
        help: 'leave "emb_dim" out, and use "offset_lag1" for a bidirectional filter',
      },
    );
  // Stored positions need no formula.
  if (filter.features === "stored") return;
  // A sequence of one token has position 0 alone; what lies beyond has no place on a ramp of no extent.
  if (filter.length < 2 && (length.value > 1 || filter.reverse_filter === "full_2l"))
    report.error("model/filter-single", "positions are t / (length - 1), so a filter needs two or more", {
      pointer: `${pointer}/length`,
      notes: [length.note],
      help: "build it for the length of the sequence, and with halves of its own rather than full_2l for one token",
    });
  if (filter.features === "relative") return;
  if (filter.emb_dim % 2 === 0 || filter.emb_dim < 3)
    report.error(
      "model/emb-dim-even",
      `emb_dim counts one ramp and pairs of waves, so it is odd and above 1, not ${filter.emb_dim}`,
      {
        pointer: `${pointer}/emb_dim`,
        help: filter.emb_dim < 3 ? "use 3" : `use ${filter.emb_dim - 1} or ${filter.emb_dim + 1}`,
      },
    );
}

/** Without a mixture every group is one of the fixed filters. */
function checkHankel(filter: HankelFilter, pointer: string, report: Report): void {
  const fixed = unmixedFilters(filter);
  if (fixed !== undefined && filter.groups !== fixed)
    report.error("model/hankel-groups", `${fixed} fixed filters are ${fixed} groups, not ${filter.groups}`, {
      pointer: `${pointer}/groups`,
      notes: [{ message: "the mixture", pointer: `${pointer}/mix` }],
      help: 'leave "groups" out, or use the mix "trained"',
    });
}

/** dss divides by what growing modes make infinite. */
function checkModal({ poles, discretization }: ModalFilter, pointer: string, report: Report): void {
  if (discretization === "dss" && (poles.real === "plain" || poles.real === "negative"))
    report.error("model/dss-growing", "dss needs poles whose real part is negative whatever is stored", {
      pointer: `${pointer}/discretization`,
      notes: [{ message: "the real part", pointer: `${pointer}/poles/real` }],
      help: 'use "negative_exp", or another discretization',
    });
}
