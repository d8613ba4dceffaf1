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
  const first = blocks?.from === "prompt" ? promptLength(given, batch, length) : 0;
  const all = Array.from({ length: Math.ceil((length - first) / size) }, (_, b) =>
    Uint8Array.from({ length: batch * length }, (_unused, at) => {
      const position = (at % length) - first;
      return given[at] === 0 && position >= b * size && position < (b + 1) * size ? 1 : 0;
    }),
  );
  return all.filter((free) => free.includes(1));
}

/** Positions at the start that are given in every row. */
function promptLength(given: Uint8Array, batch: number, length: number): number {
  let n = 0;
  while (
    n < length &&
    Array.from({ length: batch }, (_, row) => given[row * length + n]).every((g) => g === 1)
  )
    n++;
  return n;
}
