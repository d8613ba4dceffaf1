// Rules of what several mixers are made of: short convolutions, adaptive filters, projections in front.

import type { Note, Report } from "../../support/diagnostic.js";
import type { AdaptiveFilter, ConvMixer, DepthwiseConv, ShortConvMixer } from "../description.js";
import { divisorList, type MixerPlace } from "./place.js";

/** A filter made from the data fits the stream it is made from. */
export function checkAdaptive(filter: AdaptiveFilter, { pointer, width, report }: MixerPlace): void {
  if (filter.kind === "spectral_magnitude") checkOdd(filter.taps, pointer, report);
  else if (width.value % filter.heads !== 0)
    report.error("model/heads-divide", `${filter.heads} heads do not divide the width ${width.value}`, {
      pointer: `${pointer}/heads`,
      notes: [width.note],
      help: `numbers of heads that divide it: ${divisorList(width.value, filter.heads)}`,
    });
}

/** Says that in_proj cannot be gated. */
export function gatedAtStart({ pointer, report }: MixerPlace): void {
  report.error("model/glu-in", "a gated projection stands at the end of a mixer", {
    pointer: `${pointer}/in_proj/kind`,
    help: 'use "linear"',
  });
}

/** Checks the taps of a short convolution. */
export function checkShortConv(
  { span, taps }: DepthwiseConv | ShortConvMixer | ConvMixer,
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
