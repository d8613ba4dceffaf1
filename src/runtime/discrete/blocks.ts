// Which positions are decoded together: all at once, or blocks from left to right.

import type { TokenSamplerDescription } from "../../diffusion/discrete/sampler-description.js";

/**
 * For every block, in order, 1 where a position belongs to it and is not given, [B, L] each. Blocks in which nothing is
 * to be generated are left out.
 */
export function blocksOf(
  { blocks }: TokenSamplerDescription,
  given: Uint8Array,
  batch: number,
  length: number,
): Uint8Array[] {
  const size = blocks?.length ?? length;
  const all = Array.from({ length: Math.ceil(length / size) }, (_, b) =>
    Uint8Array.from({ length: batch * length }, (_unused, at) => {
      const position = at % length;
      return given[at] === 0 && position >= b * size && position < (b + 1) * size ? 1 : 0;
    }),
  );
  return all.filter((free) => free.includes(1));
}
