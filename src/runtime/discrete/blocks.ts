// Which positions are decoded together: all at once, or blocks from left to right.

import type { TokenSamplerDescription } from "../../diffusion/discrete/sampler-description.js";
import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { isMasked } from "../../diffusion/discrete/token-process.js";

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

/**
 * What may change while block `b` is decoded, [B, L]: its positions and, where leftovers compete, those of earlier blocks
 * that are still masked.
 */
export function freeIn(
  { sampler: { blocks: described }, process }: TokenPlan,
  tokens: Int32Array,
  blocks: readonly Uint8Array[],
  b: number,
): Uint8Array {
  const own = blocks[b]!;
  if (described?.leftovers !== "compete") return own;
  const before = blocks.slice(0, b);
  return own.map((free, at) =>
    free === 1 || (isMasked(process, tokens[at]!) && before.some((one) => one[at] === 1)) ? 1 : 0,
  );
}

/**
 * Whether every text has generated one of the stop tokens in a block up to this one, or repeats itself at its end, that of
 * these blocks.
 */
export function stopped(
  { blocks }: TokenSamplerDescription,
  tokens: Int32Array,
  decoded: readonly Uint8Array[],
  batch: number,
): boolean {
  const stops = blocks?.stop_tokens ?? [];
  const length = tokens.length / batch;
  const positions = decoded.flatMap((free) => [...free.keys()].filter((at) => free[at] === 1));
  const end = positions.reduce((most, at) => Math.max(most, (at % length) + 1), 0);
  return Array.from({ length: batch }, (_, row) => {
    const text = tokens.subarray(row * length, row * length + end);
    const generated = (i: number): boolean => decoded.some((free) => free[row * length + i] === 1);
    return text.some((token, i) => stops.includes(token) && generated(i)) || repeats(blocks, text);
  }).every((stops) => stops);
}

/** Whether the last tokens of a text have less entropy than they should. */
function repeats(blocks: TokenSamplerDescription["blocks"], text: Int32Array): boolean {
  if (blocks?.stop_entropy === undefined) return false;
  const { window = 256, bound = 4 } = blocks.stop_entropy;
  if (text.length <= window) return false;
  const counts = new Map<number, number>();
  for (const token of text.subarray(-window)) counts.set(token, (counts.get(token) ?? 0) + 1);
  const entropy = [...counts.values()].reduce((sum, n) => sum - (n / window) * Math.log(n / window), 0);
  return entropy < bound;
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
