// Which positions a call of the network computes where settled ones are kept: those of the block under way, from the last
// multiple of `settle` at or before its first open position on.

import type { TokenSamplerDescription } from "./sampler-description.js";

/** Blocks of a sampler with an exact cache. */
export type CachedBlocks = NonNullable<TokenSamplerDescription["blocks"]>;

/** Positions settle in multiples of this many. */
export function settlingOf({ length, settle = length }: CachedBlocks): number {
  return settle;
}

/**
 * Positions that a call computes, of texts of L: a block of `length` that begins r behind a multiple of settle = u ends
 * within the next ceil((r + length) / u) u, and r is at most u - gcd(length, u), behind a prompt at most u - 1.
 */
export function windowOf(blocks: CachedBlocks, textLength: number): number {
  const unit = settlingOf(blocks);
  const step = blocks.from === "prompt" ? 1 : commonDivisor(blocks.length, unit);
  const whole = (positions: number): number => Math.ceil(positions / unit) * unit;
  return Math.min(whole(blocks.length + unit - step), whole(textLength));
}

/** The greatest common divisor of two positive integers. */
export function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
