// The output of an encoder from a file: FILE.safetensors, or FILE.safetensors:TENSOR.

import type { EncoderInput } from "../runtime/index.js";
import { fail } from "../support/diagnostic.js";
import { openCheckpoint } from "../weights/open.js";
import type { Checkpoint } from "../weights/safetensors.js";

/**
 * Reads the tensor [S, dim] or [B, S, dim]: the one named, or `encoder`, or the only one of the file. Its mask is the
 * tensor NAME_mask beside it, where there is one. Throws `generate/encoder-file` and what reading weights throws.
 */
export function readEncoder(place: string): EncoderInput {
  const [, file, wanted] = /^(.*\.safetensors):(.+)$/.exec(place) ?? [place, place, undefined];
  const checkpoint = openCheckpoint(file!);
  try {
    const name = wanted ?? defaultName(checkpoint);
    const info = name === undefined ? undefined : checkpoint.info(name);
    if (name === undefined || info === undefined)
      return fail(
        "generate/encoder-file",
        wanted === undefined
          ? `${file} has several tensors, and none is named encoder`
          : `${file} has no tensor ${wanted}`,
        { file: file!, help: `tensors are ${checkpoint.names().join(", ")}; name one as FILE:TENSOR` },
      );
    const mask = `${name}_mask`;
    return {
      values: checkpoint.read(name),
      shape: info.shape,
      ...(checkpoint.info(mask) !== undefined && {
        mask: Uint8Array.from(checkpoint.read(mask), (one) => (one === 0 ? 0 : 1)),
      }),
    };
  } finally {
    checkpoint.close();
  }
}

function defaultName(checkpoint: Checkpoint): string | undefined {
  const names = checkpoint.names();
  if (names.includes("encoder")) return "encoder";
  return names.length === 1 ? names[0] : undefined;
}
