// Reading safetensors: the header once, then single tensors by ranged reads.

import { bug } from "../support/diagnostic.js";
import { joinPointer } from "../support/pointer.js";
import type { ByteSource, SyncByteSource } from "./byte-source.js";
import { decodeFloat64 } from "./dtypes.js";
import { type Header, headerLength, parseHeader } from "./header.js";
import type { StoredTensor } from "./header-entry.js";

/** A set of stored tensors: one file, or the shards of one checkpoint. Nothing is read before it is asked for. */
export interface Checkpoint {
  /** What diagnostics call it: the file, or the index of the shards. */
  readonly file: string;
  names(): readonly string[];
  info(name: string): StoredTensor | undefined;
  /** Bytes [from, from + length) of a tensor's data, as stored; the whole tensor by default. */
  bytes(name: string, from?: number, length?: number): Uint8Array;
  /** All elements, row-major, exactly. Throws for 64-bit integers beyond 2^53 and for damaged flags. */
  read(name: string): Float64Array;
  /** Gives file handles back; reading afterwards is a mistake. */
  close(): void;
}

/** Bytes that recognise a foreign file, see foreign.ts. */
const startBytes = 64;

/**
 * Opens one safetensors file. Throws a `DlmcError` with every problem of the header
 * (codes `safetensors/...`); tensor data are not looked at.
 */
export function openSafetensors(source: SyncByteSource): Checkpoint {
  const header = headerOf(source);
  const stored = (name: string): StoredTensor =>
    header.tensors.get(name) ?? bug(`tensor ${name} was read without looking for it in ${source.name}`);
  const bytes = (name: string, from = 0, count?: number): Uint8Array => {
    const tensor = stored(name);
    const wanted = count ?? tensor.bytes - from;
    if (from < 0 || wanted < 0 || from + wanted > tensor.bytes) bug(`range outside tensor ${name}`);
    return source.readSync(tensor.begin + from, wanted);
  };
  return {
    file: source.name,
    names: () => [...header.tensors.keys()],
    info: (name) => header.tensors.get(name),
    bytes,
    read: (name) =>
      decodeFloat64(bytes(name), stored(name).dtype, { file: source.name, pointer: joinPointer("", name) }),
    close: () => source.close(),
  };
}

/** A file that is refused is also closed. */
function headerOf(source: SyncByteSource): Header {
  try {
    const start = source.readSync(0, Math.min(startBytes, source.size));
    const length = headerLength(start, source.size, source.name);
    return parseHeader(source.readSync(8, length), source.size, source.name);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** The header alone from a source that answers later (a browser's ranged requests). Throws as `openSafetensors`. */
export async function readHeader(source: ByteSource): Promise<Header> {
  const start = await source.read(0, Math.min(startBytes, source.size));
  const length = headerLength(start, source.size, source.name);
  return parseHeader(await source.read(8, length), source.size, source.name);
}
