// The passes by name, as `dlmc opt --passes a,b=option` and the headers of .ir files name them.

import type { Lowering } from "../ir/fft/plan.js";
import { fail } from "../support/diagnostic.js";
import { suggest } from "../support/suggest.js";
import { bindDims } from "./bind-dims.js";
import { cacheBlocks } from "./cache-blocks.js";
import { canonicalise } from "./canonicalise.js";
import { checkLimits } from "./check-limits.js";
import { chooseFft } from "./choose-fft.js";
import { chooseFftConv } from "./choose-fft-conv.js";
import { expandAffineStep } from "./expand-affine-step.js";
import { expandAttention } from "./expand-attention.js";
import { expandBlocks } from "./expand-blocks.js";
import { expandNearestRow } from "./expand-nearest-row.js";
import { expandNorm, type NormName, normNames } from "./expand-norm.js";
import { expandRope } from "./expand-rope.js";
import { foldConstants } from "./fold-constants.js";
import { fuse } from "./fuse.js";
import { hoistEncoder } from "./hoist-encoder.js";
import { hoistFilters } from "./hoist-filters.js";
import { hoistTime } from "./hoist-time.js";
import { inlineCalls } from "./inline-calls.js";
import { keepTokens } from "./keep-tokens.js";
import { mergeDuplicates } from "./merge-duplicates.js";
import { padFft } from "./pad-fft.js";
import type { Pass } from "./pass.js";
import { removeDead } from "./remove-dead.js";
import { defaultDeviceLimits, splitForLimits } from "./split-for-limits.js";
import { storeHalves } from "./store-halves.js";

export interface PassEntry {
  readonly name: string;
  readonly summary: string;
  /** What may follow `name=`, for `dlmc opt --list`; undefined where a pass has no option. */
  readonly option?: string;
  /** The pass; undefined when it does not know the option. */
  make(option: string | undefined): Pass | undefined;
}

function plain(pass: Pass): PassEntry {
  return {
    name: pass.name,
    summary: pass.summary,
    make: (option) => (option === undefined ? pass : undefined),
  };
}

/** An entry whose option is parsed by `make`; the summary is that of the pass without one, or of `example`. */
function withOption(option: string, example: string | undefined, make: PassEntry["make"]): PassEntry {
  const { name, summary } = make(example)!;
  return { name, summary, option, make };
}

const lowerings: readonly Lowering[] = ["right_angle", "packed_circular", "depthwise", "toeplitz", "dft"];

export const passes: readonly PassEntry[] = [
  withOption("L:128+B:1", "L:1", (option) => {
    const sizes = (option ?? "").split("+").map((part) => /^(\w+):(\d+)$/.exec(part));
    if (sizes.some((size) => size === null)) return undefined;
    return bindDims(Object.fromEntries(sizes.map((size) => [size![1]!, Number(size![2])])));
  }),
  plain(inlineCalls),
  plain(canonicalise),
  plain(foldConstants),
  plain(mergeDuplicates),
  plain(removeDead),
  withOption("most bytes of logits", undefined, (option) => {
    const most = option === undefined ? undefined : Number(option);
    return most === undefined || (Number.isInteger(most) && most >= 0)
      ? keepTokens(most === undefined ? {} : { most })
      : undefined;
  }),
  withOption("fold | load | in-place", "fold", (option = "fold") => {
    if (option === "in-place") return hoistFilters({ spectra: "load", inPlace: true });
    return option === "fold" || option === "load" ? hoistFilters({ spectra: option }) : undefined;
  }),
  withOption("inline | run | level+level+..", "run", (option = "run") => {
    if (option === "inline" || option === "run") return hoistTime({ time: option });
    const levels = option.split("+").map(Number);
    return levels.every(Number.isFinite) ? hoistTime({ time: "fold", levels }) : undefined;
  }),
  withOption("positions of a block", "1", (option) => {
    const block = Number(option);
    return Number.isInteger(block) && block > 0 ? cacheBlocks({ block }) : undefined;
  }),
  plain(expandBlocks),
  plain(hoistEncoder),
  plain(padFft()),
  withOption(`load | ${lowerings.join(" | ")}`, undefined, (option) => {
    if (option === undefined) return chooseFft();
    if (option === "load") return chooseFft({ spectra: "load" });
    const lowering = lowerings.find((name) => name === option);
    return lowering && chooseFft({ lowering });
  }),
  withOption("load", undefined, (option) => {
    if (option !== undefined && option !== "load") return undefined;
    return chooseFftConv({ spectra: option ?? "fold" });
  }),
  plain(storeHalves()),
  withOption("binding bytes", undefined, (option) => {
    const bytes = Number(option ?? defaultDeviceLimits.maxStorageBufferBindingSize);
    return Number.isInteger(bytes) && bytes > 0
      ? splitForLimits({ ...defaultDeviceLimits, maxStorageBufferBindingSize: bytes })
      : undefined;
  }),
  withOption("parts", undefined, (option) =>
    option === undefined || option === "parts" ? fuse({ parts: option === "parts" }) : undefined,
  ),
  plain(checkLimits()),
  plain(expandAttention),
  plain(expandRope),
  withOption(normNames.join("+"), undefined, (option) => {
    const names = (option?.split("+") ?? normNames) as readonly NormName[];
    return names.every((name) => normNames.includes(name)) ? expandNorm(names) : undefined;
  }),
  plain(expandNearestRow),
  plain(expandAffineStep),
];

/** Passes from `a, b=option`. Throws `passes/unknown` and `passes/option`. */
export function passesFromText(text: string): readonly Pass[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const [name, option] = part.split(/=(.*)/s) as [string, string | undefined];
      const entry = passes.find((known) => known.name === name);
      if (entry === undefined) return unknownPass(name);
      return (
        entry.make(option) ??
        fail("passes/option", `${name} takes ${entry.option ?? "no option"}, got ${option ?? "none"}`)
      );
    });
}

function unknownPass(name: string): never {
  const names = passes.map((entry) => entry.name);
  const near = suggest(name, names);
  return fail("passes/unknown", `no pass is named ${name}`, {
    help: near === undefined ? `passes are ${names.join(", ")}` : `did you mean ${near}?`,
  });
}
