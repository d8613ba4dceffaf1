// The latents of a generation as a file, for the decoder that they are meant for.

import { randomUUID } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import type { FloatArray } from "../runtime/index.js";
import { fail } from "../support/diagnostic.js";
import { encodeSafetensors } from "../weights/writer.js";

/** Writes the tensor `latents` f32[B, L, d] as safetensors, as a whole or not at all. Throws `output/write`. */
export function writeLatents(file: string, latents: FloatArray, shape: readonly number[]): void {
  const bytes = encodeSafetensors([
    {
      name: "latents",
      dtype: "F32",
      shape,
      bytes: () => new Uint8Array(Float32Array.from(latents).buffer),
    },
  ]);
  const temporary = `${file}.${randomUUID()}`;
  try {
    writeFileSync(temporary, bytes);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    fail("output/write", `cannot write ${file}: ${(error as Error).message}`, {
      file,
      help: "check the path, its permissions and the free space",
    });
  }
}
