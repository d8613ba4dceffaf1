// Numbers as the formats of tensors hold them.

import type { Tensor } from "../ir/tensor.js";
import { decodeHalf, encodeHalf } from "../support/half.js";

/** Every number rounded to the format of its element; integers and booleans are exact. */
export function stored(x: Tensor): Tensor {
  if (x.element === "i32" || x.element === "bool") return x;
  const nearest = x.element === "f16" ? (v: number) => decodeHalf(encodeHalf(v)) : Math.fround;
  return { ...x, data: x.data.map(nearest) };
}
