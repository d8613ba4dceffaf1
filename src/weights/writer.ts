// Writes safetensors files: the header, then the tensors one by one from a lazy source, so that a model
// is never in memory as a whole. Equal input gives equal bytes: the order depends on names and sizes only.
//
// Alignment. The data begin at a multiple of 64 (spaces pad the header, which the format allows). The format
// forbids gaps between tensors, so these are sorted by the largest power of two (up to 64) that divides their
// length, largest first. A tensor of class c follows only lengths that c divides: it begins at a multiple of
// c, hence of its own element size, and all tensors of whole 64-byte lines begin at a multiple of 64. ONNX
// external data and typed arrays need no copy then.

import { bug } from "../support/diagnostic.js";
import { type Dtype, dtypeBytes } from "./dtypes.js";

/** Takes bytes in order; may keep no reference to them after it returns. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
}

/** A tensor to be written; `bytes` is asked once, when its turn comes, for the packed little-endian data. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  bytes(): Uint8Array;
}

/** Where a tensor lies in the written file, in bytes from the start of the file. */
export interface PlacedTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

export interface SafetensorsLayout {
  /** In the order of the data. */
  readonly tensors: readonly PlacedTensor[];
  /** The first bytes of the file: length and padded JSON. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** Size of the whole file in bytes. */
  readonly size: number;
}

const lineBytes = 64;

/** Plans a file without data: what external-data references need before the weights are written. */
export function planSafetensors(
  tensors: readonly Omit<TensorToWrite, "bytes">[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout {
  const sized = tensors.map(({ name, dtype, shape }) => {
    const length = shape.reduce((product, extent) => product * extent, dtypeBytes(dtype));
    return { name, dtype, shape, length, alignment: alignmentOf(length) };
  });
  sized.sort((a, b) => b.alignment - a.alignment || compareText(a.name, b.name));
  let end = 0;
  const names = new Set<string>();
  const entries: string[] = [];
  // Keys are joined by hand: an object would move names like "0" to the front.
  const keys = Object.keys(metadata).sort(compareText);
  if (keys.length > 0)
    entries.push(
      `"__metadata__":{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`).join(",")}}`,
    );
  const relative = sized.map(({ name, dtype, shape, length }) => {
    if (name === "__metadata__" || names.has(name)) bug(`tensor name ${name} is taken`);
    names.add(name);
    const begin = end;
    end += length;
    entries.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${begin},${end}]}`,
    );
    return { name, dtype, shape, offset: begin, length };
  });
  const head = frame(`{${entries.join(",")}}`);
  const placed = relative.map((tensor) => ({ ...tensor, offset: head.byteLength + tensor.offset }));
  return { tensors: placed, head, size: head.byteLength + end };
}

/** Writes a file tensor by tensor and says where each one lies. Names must be unique. */
export function writeSafetensors(
  sink: ByteSink,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const layout = planSafetensors(tensors, metadata);
  sink.write(layout.head);
  for (const { name, length } of layout.tensors) {
    const bytes = byName.get(name)!.bytes();
    if (bytes.byteLength !== length)
      bug(`tensor ${name} was planned with ${length} bytes, got ${bytes.byteLength}`);
    sink.write(bytes);
  }
  return layout;
}

/** The whole file in memory; for small models and tests. */
export function encodeSafetensors(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const { size } = planSafetensors(tensors, metadata);
  const file = new Uint8Array(size);
  let end = 0;
  writeSafetensors(
    {
      write: (bytes) => {
        file.set(bytes, end);
        end += bytes.byteLength;
      },
    },
    tensors,
    metadata,
  );
  return file;
}

/** Largest power of two up to 64 that divides `length`; an empty tensor fits anywhere. */
function alignmentOf(length: number): number {
  let alignment = lineBytes;
  while (length % alignment !== 0) alignment /= 2;
  return alignment;
}

/** Length and JSON, padded with spaces so that the data begin at a multiple of 64. */
function frame(json: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(json);
  const size = Math.ceil((8 + text.byteLength) / lineBytes) * lineBytes;
  const head = new Uint8Array(size).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(size - 8), true);
  head.set(text, 8);
  return head;
}

/** By UTF-16 code units: the same on every machine, unlike `localeCompare`. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
