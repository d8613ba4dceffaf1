// Reading a small text next to a bundle, from a URL anywhere and from a path where there is a file system.

import { fail } from "../support/diagnostic.js";

/** True for `https://...`, `blob:...` and the like; a Windows drive letter is not a scheme. */
export function isUrl(location: string): boolean {
  return /^[a-z][a-z0-9+.-]+:/i.test(location);
}

/** `directory/file`, for paths and URLs alike. */
export function inside(directory: string, file: string): string {
  return `${directory.replace(/\/+$/, "")}/${file}`;
}

interface FileSystem {
  readFile(path: string, encoding: "utf8"): Promise<string>;
}

/** The text at a path or URL. Throws `bundle/unreadable`. */
export async function readText(location: string): Promise<string> {
  const unreadable = (why: string): never =>
    fail("bundle/unreadable", `${location} cannot be read: ${why}`, {
      file: location,
      help: "give the directory that dlmc compile wrote",
    });
  try {
    if (isUrl(location)) {
      const response = await fetch(location);
      return response.ok ? await response.text() : unreadable(`the server answers ${response.status}`);
    }
    // Asked for at run time, so that pages that never read a path need no file system.
    const files = globalThis.process?.getBuiltinModule?.("fs/promises") as FileSystem | undefined;
    return files === undefined
      ? unreadable("there is no file system here; give a URL")
      : await files.readFile(location, "utf8");
  } catch (error) {
    if (error instanceof Error && error.name === "DlmcError") throw error;
    return unreadable(error instanceof Error ? error.message : String(error));
  }
}
