// How far ahead a mixer sees: to the end of its own block of positions, or beyond. What settled positions leave behind
// can be kept where every mixer of a network has such blocks.

import { commonDivisor } from "../diffusion/discrete/cached-blocks.js";
import type { Block, Blocks, Filter, LongConvMixer, Mixer } from "./generated/input.js";

/** What a part of a mixer sees of the positions to come, and the field that says so. */
export interface Sight {
  /** Below the mixer's own pointer. */
  readonly pointer: string;
  /** Positions of the blocks whose end is seen, counted from position 0; 1: nothing ahead. Absent: later blocks are seen. */
  readonly block?: number;
  /** In words. */
  readonly sees: string;
}

/** Everything that a mixer sees ahead; its defaults must have been filled in. */
export function sightsOf(mixer: Mixer): Sight[] {
  switch (mixer.kind) {
    case "attention":
      return (mixer.position_bias ?? { kind: "none" }).kind === "none"
        ? [ofMask(mixer.mask ?? { kind: "full" })]
        : [{ pointer: "/position_bias", sees: "scores have a bias by the distance to every position" }];
    case "long_conv":
      return ofLongConv(mixer);
    case "short_conv":
      return [mixer.span === "causal" ? nothing("/span") : centred("/span")];
    case "chain":
      if (mixer.direction === "backward")
        return [{ pointer: "/direction", sees: "a backward chain sees later blocks" }];
      return mixer.mixers.flatMap((part, k) => below(`/mixers/${k}`, part));
    case "parallel":
      return mixer.branches.flatMap((part, k) => below(`/branches/${k}`, part));
    case "linear":
    case "norm":
      return [];
    case "state_space":
      return [
        mixer.directions === undefined || mixer.directions === "forward"
          ? nothing("/directions")
          : { pointer: "/directions", sees: "backward states see later blocks" },
      ];
    case "selective_ssm":
      return [
        { pointer: "/kind", sees: "a selective state-space model is computed over all positions at once" },
      ];
    default:
      return [{ pointer: "/kind", sees: `${mixer.kind} mixes all positions` }];
  }
}

/** The least number of positions that is a whole number of every mixer's blocks; those that see further do not count. */
export function commonBlock(blocks: Blocks): number {
  const list: readonly Block[] = "pattern" in blocks ? blocks.pattern : "mixer" in blocks ? [blocks] : blocks;
  const sizes = list.flatMap(({ mixer }) => sightsOf(mixer).map(({ block = 1 }) => block));
  return sizes.reduce((a, b) => (a / commonDivisor(a, b)) * b, 1);
}

const below = (pointer: string, part: Mixer): Sight[] =>
  sightsOf(part).map((sight) => ({ ...sight, pointer: pointer + sight.pointer }));
const nothing = (pointer: string): Sight => ({ pointer, block: 1, sees: "nothing ahead is seen" });
const centred = (pointer: string): Sight => ({
  pointer,
  sees: "a centred convolution sees later blocks",
});
const blocksOf = (pointer: string, block: number): Sight => ({
  pointer,
  block,
  sees: `the end of blocks of ${block} is seen`,
});

function ofMask(mask: { readonly kind: string; readonly block?: number }): Sight {
  if (mask.kind === "causal") return nothing("/mask/kind");
  return mask.kind === "block_causal"
    ? blocksOf("/mask/block", mask.block ?? 1)
    : { pointer: "/mask/kind", sees: `the mask "${mask.kind}" sees later blocks` };
}

function ofLongConv(mixer: LongConvMixer): Sight[] {
  const { short_conv: short, residual_conv: residual, adaptive_filter: adaptive, filter, gating } = mixer;
  const own = filter ?? { kind: "implicit_mlp" };
  const parallel =
    residual?.kind === "long_conv" &&
    residual.filter !== undefined &&
    JSON.stringify(residual.filter) !== JSON.stringify(own)
      ? [ofFilter(residual.filter, "/residual_conv/filter")]
      : [];
  const keys =
    gating?.kind === "outer_product" && gating.key_filter !== undefined
      ? [ofFilter(gating.key_filter, "/gating/key_filter")]
      : [];
  return [
    ...(short?.kind === "depthwise" && short.span !== "causal" ? [centred("/short_conv/span")] : []),
    ...(adaptive !== undefined && adaptive.kind !== "none"
      ? [{ pointer: "/adaptive_filter/kind", sees: "an adaptive filter is made from all positions" }]
      : []),
    ofFilter(own, "/filter"),
    ...keys,
    ...parallel,
  ];
}

function ofFilter(filter: Filter, pointer: string): Sight {
  const { span = "bidirectional" } = filter;
  if (span === "causal") return nothing(`${pointer}/span`);
  const block = "block" in filter ? filter.block : undefined;
  // A rule of filters says so where the block is missing.
  return span === "block_causal"
    ? blocksOf(`${pointer}/block`, block ?? 1)
    : { pointer: `${pointer}/span`, sees: `a ${span} filter sees later blocks` };
}
