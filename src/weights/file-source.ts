// The only file of src/weights that touches the file system: positioned reads and buffered writes.

import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { fail } from "../support/diagnostic.js";
import type { SyncByteSource } from "./byte-source.js";
import type { ByteSink } from "./writer.js";

/** One `read` call of the operating system never gets more than this (Linux stops at 2^31 - 4096). */
const chunkBytes = 2 ** 30;

/**
 * Opens a file for ranged reading. The handle stays open until `close`.
 * Throws `weights/open` when the file cannot be opened and `weights/read` when it shrinks meanwhile.
 */
export function fileSource(path: string): SyncByteSource {
  const handle = open(path, "r");
  const stat = fstatSync(handle);
  if (!stat.isFile()) {
    closeSync(handle);
    fail("weights/open", `\`${path}\` is a directory or a device; a weight file was expected`, {
      file: path,
      help: "name the .safetensors file, or the directory's model.safetensors.index.json",
    });
  }
  const readRange = (offset: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const got = readSync(handle, bytes, done, Math.min(chunkBytes, length - done), offset + done);
      if (got === 0)
        fail("weights/read", `expected ${length} bytes at byte ${offset}, the file ended after ${done}`, {
          file: path,
          offset,
          help: "the file became shorter while it was read; wait until it is written completely",
        });
      done += got;
    }
    return bytes;
  };
  return {
    name: path,
    size: stat.size,
    readSync: readRange,
    read: async (offset, length) => readRange(offset, length),
    close: () => closeSync(handle),
  };
}

/** A sink that writes `path` from the beginning; `close` it when done. */
export function fileSink(path: string): ByteSink & { close(): void } {
  const handle = open(path, "w");
  return {
    write: (bytes) => {
      let done = 0;
      while (done < bytes.byteLength) {
        done += writeSync(handle, bytes, done, Math.min(chunkBytes, bytes.byteLength - done));
      }
    },
    close: () => closeSync(handle),
  };
}

/** The text of a small file (the shard index). Throws `weights/open`. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return cannotOpen(path, error);
  }
}

/** What is at `path`: a file, a directory, or nothing. */
export function pathKind(path: string): "file" | "directory" | "missing" {
  if (!existsSync(path)) return "missing";
  return statSync(path).isDirectory() ? "directory" : "file";
}

function open(path: string, flags: "r" | "w"): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    return cannotOpen(path, error);
  }
}

function cannotOpen(path: string, error: unknown): never {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  const reason =
    code === "ENOENT"
      ? "there is no such file"
      : code === "EACCES"
        ? "permission denied"
        : code === "EISDIR"
          ? "it is a directory"
          : code;
  fail("weights/open", `cannot open \`${path}\`: ${reason}`, {
    file: path,
    help:
      code === "ENOENT"
        ? "check the path; the paths of a description are relative to the description"
        : "check the file's permissions",
  });
}
