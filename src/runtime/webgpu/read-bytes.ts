// A file of a bundle as a stream of bytes, from a URL anywhere and from a path where there is a file system, and the
// hashes that tell a whole file from a damaged one.

import { DlmcError, fail } from "../../support/diagnostic.js";
import { isUrl } from "../read-text.js";

interface Streams {
  createReadStream(path: string | URL, options: object): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** The bytes of a path or URL in order. Throws `bundle/unreadable` and the signal's reason. */
export async function* readBytes(
  location: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  try {
    signal?.throwIfAborted();
    if (isUrl(location) && !location.startsWith("file:")) {
      const response = await fetch(location, signal === undefined ? {} : { signal });
      if (!response.ok) unreadable(location, `the server answers ${response.status}`);
      const reader = response.body!.getReader();
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          yield value as Uint8Array<ArrayBuffer>;
        }
      } finally {
        await reader.cancel().catch(() => undefined);
      }
    }
    const files = globalThis.process?.getBuiltinModule?.("fs") as Streams | undefined;
    if (files === undefined) unreadable(location, "there is no file system here; give a URL");
    else
      yield* files.createReadStream(location.startsWith("file:") ? new URL(location) : location, {
        highWaterMark: 1 << 20,
        ...(signal && { signal }),
      });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DlmcError) throw error;
    unreadable(location, error instanceof Error ? error.message : String(error));
  }
}

/** The whole text of a path or URL. */
export async function readWhole(location: string, signal?: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of readBytes(location, signal)) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** Throws `bundle/corrupt` when the bytes are not those the manifest was written for. */
export async function verifyHash(
  bytes: Uint8Array<ArrayBuffer>,
  sha256: string,
  what: string,
  file: string,
): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256)
    fail("bundle/corrupt", `${what} has SHA-256 ${found}, the manifest says ${sha256}`, {
      file,
      help: "copy the bundle again: a file of it is damaged or of another build",
    });
}

function unreadable(location: string, why: string): never {
  return fail("bundle/unreadable", `${location} cannot be read: ${why}`, {
    file: location,
    help: "give the directory that dlmc compile wrote",
  });
}
