// Checkpoints as tests of imports need them: renamed, or of any size with nothing in them.

import { truncateSync, writeFileSync } from "node:fs";
import { file } from "../weights/helpers.js";

/** The bytes of a safetensors file with a prefix before every name. */
export function renamed(bytes: Uint8Array, prefix: string): Uint8Array {
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, end))) as Record<string, object>;
  const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
  return file(
    Object.fromEntries(entries.map(([name, entry]) => [prefix + name, entry])),
    bytes.subarray(end),
  );
}

/**
 * Writes a safetensors file of zeros that takes no room on the disk: its header, and a hole as long as the data.
 * Returns the bytes of the header.
 */
export function hollow(
  path: string,
  dtype: "BF16" | "F32",
  shapes: Readonly<Record<string, readonly number[]>>,
): number {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const bytes = shape.reduce((n, extent) => n * extent, dtype === "BF16" ? 2 : 4);
      at += bytes;
      return [name, { dtype, shape, data_offsets: [at - bytes, at] }];
    }),
  );
  const head = file(header);
  writeFileSync(path, head);
  truncateSync(path, head.byteLength + at);
  return head.byteLength;
}
