// Float64 reference numbers -> packed little-endian bytes of an ONNX element, rounded once to nearest even.

import { bug } from "../support/diagnostic.js";
import { encodeHalf } from "../support/half.js";
import type { OnnxElement } from "./proto/messages.js";
import { elementBytes, type StoredElement } from "./value.js";

/** Packs numbers; `float16` rounds directly from float64. */
export function packNumbers(element: OnnxElement, numbers: ArrayLike<number>): Uint8Array {
  if (!Object.hasOwn(elementBytes, element)) bug(`no way to store ${element}`);
  const size = elementBytes[element as StoredElement];
  const view = new DataView(new ArrayBuffer(numbers.length * size));
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i]!;
    const at = i * size;
    if (element === "float") view.setFloat32(at, value, true);
    else if (element === "float16") view.setUint16(at, encodeHalf(value), true);
    else if (element === "double") view.setFloat64(at, value, true);
    else if (element === "int64") view.setBigInt64(at, BigInt(value), true);
    else if (element === "int32") view.setInt32(at, value, true);
    else view.setUint8(at, value === 0 ? 0 : 1);
  }
  return new Uint8Array(view.buffer);
}
