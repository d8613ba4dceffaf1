// How large the numbers of a value are: headroom for half precision, and where a reference stops being finite.

import type { Tensor } from "../ir/tensor.js";

/** The largest finite binary16 number. */
export const largestHalf = 65504;
/** The largest finite binary32 number, (2 - 2^-23) 2^127. */
export const largestSingle = (2 - 2 ** -23) * 2 ** 127;

export interface Range {
  /** Largest finite magnitude of the reference. */
  readonly largest: number;
  /** Numbers of the reference that are not finite. */
  readonly nonFinite: number;
  /** 65504 / largest: below 1 the value does not fit half precision. */
  readonly halfHeadroom: number;
  /** Numbers too large for f32 that the reference holds as finite. */
  readonly overflowsSingle: number;
}

export function rangeOf(x: Tensor): Range {
  let largest = 0;
  let nonFinite = 0;
  let overflowsSingle = 0;
  for (const v of x.data) {
    const size = Math.abs(v);
    if (!Number.isFinite(v)) nonFinite++;
    else if (size > largest) largest = size;
    if (Number.isFinite(v) && size > largestSingle) overflowsSingle++;
  }
  return { largest, nonFinite, halfHeadroom: largestHalf / largest, overflowsSingle };
}
