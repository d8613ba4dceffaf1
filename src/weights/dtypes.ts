// The element types of safetensors files and their decoding to float64 (reference) and float32 (artefacts).
// Everything is little-endian and row-major: the format's rule, see the README of huggingface/safetensors.

import { fail } from "../support/diagnostic.js";
import { decodeBfloat16, decodeHalf } from "../support/half.js";

/** Element types that dlmc reads. */
export const dtypes = [
  "F64",
  "F32",
  "F16",
  "BF16",
  "I64",
  "I32",
  "I16",
  "I8",
  "U64",
  "U32",
  "U16",
  "U8",
  "BOOL",
] as const;
export type Dtype = (typeof dtypes)[number];

/** Element types of the format that dlmc does not read: sub-byte and 8-bit floats, complex. */
export const unsupportedDtypes: readonly string[] = [
  "F8_E4M3",
  "F8_E4M3FNUZ",
  "F8_E5M2",
  "F8_E5M2FNUZ",
  "F8_E8M0",
  "F6_E2M3",
  "F6_E3M2",
  "F4",
  "C64",
];

const bytesPer: Readonly<Record<Dtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

export function isDtype(name: string): name is Dtype {
  return (dtypes as readonly string[]).includes(name);
}

/** Bytes per element. */
export function dtypeBytes(dtype: Dtype): number {
  return bytesPer[dtype];
}

/** Whether values are real numbers (weights) and not integers or flags (buffers, token tables). */
export function isFloating(dtype: Dtype): boolean {
  return dtype === "F64" || dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/** Reads element `index` (counted in elements); 64-bit integers lose what float64 cannot hold. */
type Getter = (view: DataView, index: number) => number;

const getters: Readonly<Record<Dtype, Getter>> = {
  F64: (view, i) => view.getFloat64(8 * i, true),
  F32: (view, i) => view.getFloat32(4 * i, true),
  F16: (view, i) => decodeHalf(view.getUint16(2 * i, true)),
  BF16: (view, i) => decodeBfloat16(view.getUint16(2 * i, true)),
  I64: (view, i) => Number(view.getBigInt64(8 * i, true)),
  I32: (view, i) => view.getInt32(4 * i, true),
  I16: (view, i) => view.getInt16(2 * i, true),
  I8: (view, i) => view.getInt8(i),
  U64: (view, i) => Number(view.getBigUint64(8 * i, true)),
  U32: (view, i) => view.getUint32(4 * i, true),
  U16: (view, i) => view.getUint16(2 * i, true),
  U8: (view, i) => view.getUint8(i),
  BOOL: (view, i) => view.getUint8(i),
};

/**
 * Decodes packed elements exactly. `place` names the tensor in errors.
 * Throws `safetensors/integer-range` for a 64-bit integer beyond 2^53 (float64 would round it) and
 * `safetensors/bool` for a flag that is neither 0 nor 1.
 */
export function decodeFloat64(
  bytes: Uint8Array,
  dtype: Dtype,
  place: { readonly file: string; readonly pointer: string },
): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(bytes.byteLength / bytesPer[dtype]);
  const get = getters[dtype];
  for (let i = 0; i < values.length; i++) values[i] = get(view, i);
  if (dtype === "I64" || dtype === "U64") {
    // 2^53 itself is refused too: 2^53 + 1 rounds to it.
    const index = values.findIndex((value) => !Number.isSafeInteger(value));
    if (index >= 0) {
      const exact = dtype === "I64" ? view.getBigInt64(8 * index, true) : view.getBigUint64(8 * index, true);
      fail(
        "safetensors/integer-range",
        `element ${index} is ${exact}; integers must lie within +-(2^53 - 1)`,
        {
          ...place,
          help: "store integers of this size as two tensors, or leave the tensor out of the weight map",
        },
      );
    }
  }
  if (dtype === "BOOL") {
    const index = values.findIndex((value) => value > 1);
    if (index >= 0)
      fail(
        "safetensors/bool",
        `element ${index} of a BOOL tensor is byte ${values[index]}; 0 or 1 expected`,
        {
          ...place,
          help: "the file is damaged or was not written by a safetensors library; download or convert it again",
        },
      );
  }
  return values;
}

/** Rounds to float32 (ties to even, as the hardware does) and packs little-endian: 4 bytes per value. */
export function encodeFloat32(values: Float64Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true);
  return bytes;
}
