// Slices that are no work: where a slice's numbers lie side by side in its operand's memory, at an offset that a
// buffer can be bound at, the slice is a part of that memory.

import { type Dim, product } from "./dim.js";
import type { Op } from "./graph.js";
import { numbersPer } from "./tensor.js";

/** Offsets at which every device binds a part of a buffer, in bytes (WebGPU's default of minStorageBufferOffsetAlignment). */
export const bindingAlignment = 256;

/** True for a slice that is a part of its operand's memory at an offset that can be bound. */
export function isPart(op: Op): boolean {
  const offset = op.name === "slice" ? partOffset(op) : undefined;
  return offset !== undefined && offset % bindingAlignment === 0;
}

/** Bytes before a contiguous slice; undefined when it is not contiguous or its place is not known. */
export function partOffset(op: Op): number | undefined {
  const { shape, element } = op.operands[0]!.type;
  const axis = op.attributes.axis as number;
  const start = (op.attributes.start as Dim).value;
  if (start === undefined || shape.slice(0, axis).some((extent) => extent.value !== 1)) return undefined;
  const stride = product(shape.slice(axis + 1)).value;
  const bytes = (element === "f16" ? 2 : 4) * numbersPer(element);
  return stride === undefined ? undefined : start * stride * bytes;
}
