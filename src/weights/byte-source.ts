// Where the bytes of a weight file come from: a file, a buffer in memory, a ranged HTTP request.
// Readers ask for ranges, so that a file of many gigabytes is never in memory as a whole.

/** Random access to the bytes of one file. `name` is what diagnostics call it. */
export interface ByteSource {
  readonly name: string;
  /** Length of the file in bytes. */
  readonly size: number;
  /** Bytes [offset, offset + length); the caller keeps the range inside the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A source that can also answer at once; the compiler and the reference need this one. */
export interface SyncByteSource extends ByteSource {
  /** As `read`. The bytes may be a view of the source's own memory: do not write to them. */
  readSync(offset: number, length: number): Uint8Array;
  /** Gives the file handle back, where there is one. */
  close(): void;
}

/** A file that is already in memory (browsers, tests). */
export function memorySource(bytes: Uint8Array, name = "memory"): SyncByteSource {
  const readSync = (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length);
  return {
    name,
    size: bytes.byteLength,
    readSync,
    read: (offset, length) => Promise.resolve(readSync(offset, length)),
    close: () => {},
  };
}
