// Builds safetensors files byte by byte, so that tests can damage every part of them.

import { type Diagnostic, DlmcError } from "../../src/support/diagnostic.js";
import { memorySource } from "../../src/weights/byte-source.js";
import { type Checkpoint, openSafetensors } from "../../src/weights/safetensors.js";

export function u64(value: bigint | number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A file with this header text (its true length in front) and these data. */
export function file(header: string | object, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = text(typeof header === "string" ? header : JSON.stringify(header));
  return join(u64(json.byteLength), json, data);
}

/** Little-endian float32 data. */
export function f32(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
  return bytes;
}

export function open(bytes: Uint8Array, name = "model.safetensors"): Checkpoint {
  return openSafetensors(memorySource(bytes, name));
}

/** The diagnostics an action stops with; fails the test when it does not stop. */
export function diagnosticsOf(action: () => unknown): readonly Diagnostic[] {
  try {
    action();
  } catch (error) {
    if (error instanceof DlmcError) return error.diagnostics;
    throw error;
  }
  throw new Error("expected a DlmcError, nothing was thrown");
}
