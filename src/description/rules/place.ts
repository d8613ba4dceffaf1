// Where a size of the description comes from, for the other side of a disagreement.

import type { Note, Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription } from "../description.js";
import { decodedLength, decoderWidth, sequenceLength, trunkWidth } from "../widths.js";

/** A size and the note that says where it stands. */
export interface PlacedSize {
  readonly value: number;
  readonly note: Note;
}

/** Where a mixer stands and what it must fit. */
export interface MixerPlace {
  readonly pointer: string;
  readonly width: PlacedSize;
  readonly length: PlacedSize;
  readonly report: Report;
}

/** Width of what mixers and feed-forward networks see. */
export function placedWidth(description: Description): PlacedSize {
  if (description.part === "mixer" || description.part === "block")
    return { value: description.width, note: { message: "the width", pointer: "/width" } };
  if (description.part === "noise_schedule") return { value: 1, note: { message: "there is no trunk" } };
  const { embedding } = description;
  const last = embedding.in_proj.length - 1;
  const pointer = last < 0 ? "/embedding/dim" : `/embedding/in_proj/${last}/out`;
  return { value: trunkWidth(embedding), note: { message: "the trunk's width", pointer } };
}

/** Width of a decoder's blocks, and the number of its positions. */
export function decoderSizes({ decoder, embedding, state_space: state }: ModelDescription):
  | {
      readonly width: PlacedSize;
      readonly length: PlacedSize;
    }
  | undefined {
  if (decoder === undefined) return undefined;
  const last = decoder.in_proj.length - 1;
  const [own, latents] = [decoder.queries.kind === "learned", last < 0];
  const wide = latents ? "/embedding/dim" : `/decoder/in_proj/${last}/out`;
  return {
    width: {
      value: decoderWidth(decoder, embedding.dim),
      note: { message: "the decoder's width", pointer: own ? "/decoder/queries/dim" : wide },
    },
    length: {
      value: decodedLength(decoder, state.seq_len),
      note: {
        message: "the decoder's positions",
        pointer: own ? "/decoder/queries/length" : "/state_space/seq_len",
      },
    },
  };
}

/** Sequence length. */
export function placedLength(description: Description): PlacedSize {
  const alone = description.part === "mixer" || description.part === "block";
  return {
    value: sequenceLength(description) ?? 1,
    note: { message: "the sequence length", pointer: alone ? "/seq_len" : "/state_space/seq_len" },
  };
}

/** "1, 2, 4, 8, 16"; of many divisors only those nearest to `wanted`. */
export function divisorList(n: number, wanted: number): string {
  const divisors: number[] = [];
  for (let d = 1; d * d <= n; d++) if (n % d === 0) divisors.push(d, n / d);
  return [...new Set(divisors)]
    .sort((a, b) => Math.abs(Math.log(a / wanted)) - Math.abs(Math.log(b / wanted)))
    .slice(0, 5)
    .sort((a, b) => a - b)
    .join(", ");
}
