// The tensors of a bundle: weights by name, constants that passes computed, tables of kernels. Each is laid out as
// its kernels bind it. f32 weights are the ones of the ONNX artefact, byte for byte.

import { createHash } from "node:crypto";
import { count, type Element, numbersPer, type Tensor } from "../../ir/tensor.js";
import { encodeHalf } from "../../support/half.js";
import type { Dtype } from "../../weights/dtypes.js";
import type { TensorToWrite } from "../../weights/writer.js";

const dtypes: Readonly<Record<Element, Dtype>> = {
  f32: "F32",
  f16: "F16",
  c64: "F32",
  i32: "I32",
  bool: "U32",
};

export interface WeightPool {
  /**
   * Registers a tensor and returns its name in the file: `name`, or `name` with `suffix` where the name is taken by
   * other numbers (constants that depend on the sequence length).
   */
  add(name: string, element: Element, shape: readonly number[], read: () => Tensor, suffix?: string): string;
  /** Bytes of a registered tensor. */
  bytes(name: string): number;
  tensors(): readonly TensorToWrite[];
}

export function weightPool(): WeightPool {
  const pool = new Map<string, TensorToWrite & { readonly source: string }>();
  const digest = (tensor: TensorToWrite): string => createHash("sha256").update(tensor.bytes()).digest("hex");
  return {
    add(name, element, shape, read, suffix = "") {
      const stored = element === "c64" ? [...shape, 2] : [...shape];
      const tensor = {
        name,
        dtype: dtypes[element],
        shape: stored,
        source: suffix,
        bytes: () => packed(element, read().data),
      };
      const known = pool.get(name);
      if (known === undefined) {
        pool.set(name, tensor);
        return name;
      }
      const alike = known.dtype === tensor.dtype && known.shape.join() === stored.join();
      if (alike && (known.source === suffix || digest(known) === digest(tensor))) return name;
      return this.add(`${name}.${suffix || "2"}`, element, shape, read, suffix);
    },
    bytes(name) {
      const { shape, dtype } = pool.get(name)!;
      return count(shape) * (dtype === "F16" ? 2 : 4);
    },
    tensors: () => [...pool.values()],
  };
}

/** Bytes of a value of the element and shape in a storage buffer. */
export function storageBytes(element: Element, shape: readonly number[]): number {
  return count(shape) * numbersPer(element) * (element === "f16" ? 2 : 4);
}

/** Little-endian bytes as a storage buffer holds them. */
export function packed(element: Element, data: Float64Array): Uint8Array {
  const bytes = new Uint8Array(data.length * (element === "f16" ? 2 : 4));
  const view = new DataView(bytes.buffer);
  data.forEach((value, i) => {
    if (element === "f16") view.setUint16(2 * i, encodeHalf(value), true);
    else if (element === "i32") view.setInt32(4 * i, value, true);
    else if (element === "bool") view.setUint32(4 * i, value === 0 ? 0 : 1, true);
    else view.setFloat32(4 * i, value, true);
  });
  return bytes;
}
