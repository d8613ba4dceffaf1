// Runs an implementation on a device with tensors in and out, laid out as kernels expect them.

import { storedBytes } from "../../src/emit-wgsl/buffers.js";
import type { Implementation, Shaped } from "../../src/emit-wgsl/kernel.js";
import { count, type Element, type Tensor, tensor } from "../../src/ir/tensor.js";
import { decodeHalf, encodeHalf } from "../../src/support/half.js";
import type { Device, Dispatch, Memory } from "./device.js";

/** Tensors as bytes of a storage buffer. */
export function encode(element: Element, data: Float64Array): Uint8Array {
  const bytes = (view: ArrayBufferView): Uint8Array =>
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  if (element === "f16") return bytes(Uint16Array.from(data, encodeHalf));
  if (element === "i32") return bytes(Int32Array.from(data));
  if (element === "bool") return bytes(Uint32Array.from(data));
  return bytes(Float32Array.from(data));
}

/** The bytes of a storage buffer as a tensor. */
export function decode({ element, shape }: Shaped, bytes: Uint8Array): Tensor {
  const numbers = count(shape) * (element === "c64" ? 2 : 1);
  const { buffer } = bytes.slice();
  const list =
    element === "f16"
      ? Array.from(new Uint16Array(buffer), decodeHalf)
      : element === "i32"
        ? new Int32Array(buffer)
        : element === "bool"
          ? new Uint32Array(buffer)
          : new Float32Array(buffer);
  return tensor(element, shape, Float64Array.from(list.slice(0, numbers)));
}

/** Buffers and dispatches of an implementation: operands, results, scratch, tables, in this order. */
export function planRun(
  implementation: Implementation,
  inputs: readonly Tensor[],
  results: readonly Shaped[],
): { dispatches: Dispatch[]; buffers: Memory[]; read: number[] } {
  const { kernels, scratch, tables } = implementation;
  const bytesOf = ({ element, shape }: Shaped): number => count(shape) * storedBytes(element);
  const buffers: Memory[] = [
    ...inputs.map(({ element, data }) => {
      const encoded = encode(element, data);
      return { bytes: encoded.length, data: encoded };
    }),
    ...results.map((r) => ({ bytes: bytesOf(r) })),
    ...scratch.map((s) => ({ bytes: s.length * storedBytes(s.element) })),
    ...tables.map((t) => {
      const encoded = encode(t.element, t.values);
      return { bytes: encoded.length, data: encoded };
    }),
  ];
  const scratchAt = inputs.length + results.length;
  const dispatches = kernels.map((kernel) => ({
    code: kernel.code,
    grid: kernel.grid,
    bindings: kernel.bindings.map(({ role }) => ({
      buffer:
        role.kind === "operand"
          ? role.index
          : role.kind === "result"
            ? inputs.length + role.index
            : role.kind === "scratch"
              ? scratchAt + role.index
              : scratchAt + scratch.length + tables.findIndex((t) => t.name === role.name),
    })),
  }));
  return { dispatches, buffers, read: results.map((_, k) => inputs.length + k) };
}

export async function runOn(
  device: Device,
  implementation: Implementation,
  inputs: readonly Tensor[],
  results: readonly Shaped[],
): Promise<Tensor[]> {
  const { dispatches, buffers, read } = planRun(implementation, inputs, results);
  const bytes = await device.run(dispatches, buffers, read);
  return results.map((result, k) => decode(result, bytes[k]!));
}
