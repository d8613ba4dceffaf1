// Looks through stored data chunk by chunk without decoding it to float64: values that no model can use,
// and tensors that are copies of each other.

import { dtypeBytes, isFloating } from "./dtypes.js";
import type { StoredTensor } from "./header-entry.js";
import type { Checkpoint } from "./safetensors.js";

/** Read at a time; a multiple of every element size. */
const chunkBytes = 1 << 22;

/** The first unusable value of a tensor and how many there are. */
export interface BadValue {
  /** Flat row-major index. */
  readonly index: number;
  /** NaN, an infinity, or an F64 number beyond float32. */
  readonly value: number;
  readonly total: number;
}

/** From here on a number rounds to infinity in float32: (2 - 2^-24) 2^127. */
const float32Limit = (2 - 2 ** -24) * 2 ** 127;

/** Finds NaN, infinities and F64 values that float32 cannot hold; nothing for integer tensors. */
export function findBadValue(checkpoint: Checkpoint, tensor: StoredTensor): BadValue | undefined {
  if (!isFloating(tensor.dtype)) return undefined;
  const size = dtypeBytes(tensor.dtype);
  let index = -1;
  let value = 0;
  let total = 0;
  for (const { bytes, from } of chunks(checkpoint, tensor)) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.byteLength; at += size) {
      if (isUsable(view, at, tensor.dtype)) continue;
      total += 1;
      if (index >= 0) continue;
      index = (from + at) / size;
      value = specialValue(view, at, tensor.dtype);
    }
  }
  return index < 0 ? undefined : { index, value, total };
}

/** Whether two stored tensors of equal type and shape hold the same bytes. */
export function sameBytes(checkpoint: Checkpoint, a: StoredTensor, b: StoredTensor): boolean {
  if (a.dtype !== b.dtype || String(a.shape) !== String(b.shape)) return false;
  // Most tensors of equal shape differ in their first elements: one small read decides.
  const start = Math.min(a.bytes, 4096);
  if (!equalBytes(checkpoint.bytes(a.name, 0, start), checkpoint.bytes(b.name, 0, start))) return false;
  for (const { bytes, from } of chunks(checkpoint, a))
    if (!equalBytes(bytes, checkpoint.bytes(b.name, from, bytes.byteLength))) return false;
  return true;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

/** Whether all elements have the same bytes. */
export function isConstant(checkpoint: Checkpoint, tensor: StoredTensor): boolean {
  const size = dtypeBytes(tensor.dtype);
  for (const { bytes, from } of chunks(checkpoint, tensor)) {
    const first = from === 0 ? bytes : checkpoint.bytes(tensor.name, 0, size);
    for (let i = 0; i < bytes.byteLength; i++) if (bytes[i] !== first[i % size]) return false;
  }
  return true;
}

function* chunks(
  checkpoint: Checkpoint,
  tensor: StoredTensor,
): Iterable<{ bytes: Uint8Array; from: number }> {
  for (let from = 0; from < tensor.bytes; from += chunkBytes)
    yield { bytes: checkpoint.bytes(tensor.name, from, Math.min(chunkBytes, tensor.bytes - from)), from };
}

/** A float is finite when its exponent bits are not all ones. */
function isUsable(view: DataView, at: number, dtype: string): boolean {
  switch (dtype) {
    case "F32":
      return (view.getUint32(at, true) & 0x7f800000) !== 0x7f800000;
    case "BF16":
      return (view.getUint16(at, true) & 0x7f80) !== 0x7f80;
    case "F16":
      return (view.getUint16(at, true) & 0x7c00) !== 0x7c00;
    default:
      // False for NaN too.
      return Math.abs(view.getFloat64(at, true)) < float32Limit;
  }
}

/** The value of an element that `isUsable` refused. */
function specialValue(view: DataView, at: number, dtype: string): number {
  if (dtype === "F64") return view.getFloat64(at, true);
  const fractionBits = { F32: 23, BF16: 7, F16: 10 }[dtype] ?? 23;
  const bits = dtype === "F32" ? view.getUint32(at, true) : view.getUint16(at, true);
  if (bits % 2 ** fractionBits !== 0) return Number.NaN;
  const negative = bits >= (dtype === "F32" ? 2 ** 31 : 2 ** 15);
  return negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
