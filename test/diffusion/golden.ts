// Reads the committed upstream tensors of test/goldens.

import { readFileSync } from "node:fs";
import { memorySource } from "../../src/weights/byte-source.js";
import { openSafetensors } from "../../src/weights/safetensors.js";

/** The tensors of one file of a golden case, by name, in float64. */
export function golden(
  name: string,
  file: "tensors" | "weights" = "tensors",
): (tensor: string) => Float64Array {
  const path = new URL(`../goldens/${name}/${file}.safetensors`, import.meta.url);
  const checkpoint = openSafetensors(memorySource(new Uint8Array(readFileSync(path)), `${name}/${file}`));
  return (tensor) => checkpoint.read(tensor);
}

/** The greatest |ours - theirs| / max(|theirs|, floor) over two arrays of one length. */
export function worstRelative(ours: ArrayLike<number>, theirs: ArrayLike<number>, floor = 0): number {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < theirs.length; i++) {
    const error = Math.abs(ours[i]! - theirs[i]!);
    if (Number.isNaN(error)) return Number.POSITIVE_INFINITY;
    if (error > 0) worst = Math.max(worst, error / Math.max(Math.abs(theirs[i]!), floor));
  }
  return worst;
}

/** The greatest |ours - theirs|. */
export function worstAbsolute(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  return worstRelative(ours, theirs, 1e300) * 1e300;
}
