// Safe output: everything is written to a temporary directory beside the target, then the two are exchanged by
// renames. An error, Ctrl-C or a full disk leaves the old output as it was.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fail } from "../support/diagnostic.js";

/**
 * Runs `write` with a fresh directory and puts it in the place of `directory` when it succeeds.
 * Throws what `write` throws and `output/write` (exit 2) when the file system refuses.
 */
export function replaceDirectory<T>(directory: string, write: (temporary: string) => T): T {
  const target = resolve(directory);
  const parent = dirname(target);
  let temporary: string;
  try {
    mkdirSync(parent, { recursive: true });
    temporary = mkdtempSync(join(parent, `.${basename(target)}-`));
  } catch (error) {
    return refuse(directory, error);
  }
  const cleanUp = (): void => rmSync(temporary, { recursive: true, force: true });
  const interrupted = (signal: NodeJS.Signals): void => {
    cleanUp();
    process.kill(process.pid, signal);
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    const result = write(temporary);
    exchange(temporary, target);
    return result;
  } catch (error) {
    return isFileSystemError(error) ? refuse(directory, error) : rethrow(error);
  } finally {
    cleanUp();
    process.removeListener("SIGINT", interrupted);
    process.removeListener("SIGTERM", interrupted);
  }
}

/** Old aside, new in place, old away; when the second rename fails the old one goes back. */
function exchange(temporary: string, target: string): void {
  if (!existsSync(target)) {
    renameSync(temporary, target);
    return;
  }
  const aside = `${temporary}.old`;
  renameSync(target, aside);
  try {
    renameSync(temporary, target);
  } catch (error) {
    renameSync(aside, target);
    throw error;
  }
  rmSync(aside, { recursive: true, force: true });
}

function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

function refuse(directory: string, error: unknown): never {
  return fail("output/write", `cannot write ${directory}: ${(error as Error).message}`, {
    help: "nothing was changed there; check the path, its permissions and the free space",
  });
}

function rethrow(error: unknown): never {
  throw error;
}
