// Safe output: everything is written to a temporary directory beside the target, then the two are exchanged by
// renames. An error or a full disk leaves the old output as it was and nothing beside it; a killed process leaves
// the old output and its temporary directory, which the next run removes.

import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
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
    removeLeftovers(parent, basename(target));
    temporary = mkdtempSync(join(parent, `.${basename(target)}-${process.pid}-`));
  } catch (error) {
    return refuse(directory, error);
  }
  try {
    const result = write(temporary);
    // mkdtemp's directory is its owner's alone; the output is for whoever may read what this process writes.
    chmodSync(temporary, 0o777 & ~process.umask());
    exchange(temporary, target);
    return result;
  } catch (error) {
    return isFileSystemError(error) ? refuse(directory, error) : rethrow(error);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/**
 * Throws `output/not-ours` unless nothing of anyone's is lost when `directory` is replaced: it does not exist, is a link,
 * is empty, or is a bundle that dlmc wrote.
 */
export function checkReplaceable(directory: string): void {
  const help = "name a directory that does not exist, an empty one, or one that dlmc compile wrote";
  if (directory.trim() === "") fail("output/not-ours", "the output directory has no name", { help });
  const kind = whatIs(resolve(directory), directory);
  if (kind === "file")
    fail("output/not-ours", `${directory} is a file, and a directory is to be written`, { help });
  if (kind === "foreign")
    fail("output/not-ours", `${directory} has files that dlmc did not write; they would be lost`, { help });
}

function whatIs(target: string, directory: string): "free" | "file" | "foreign" {
  try {
    const found = lstatSync(target, { throwIfNoEntry: false });
    if (found === undefined || found.isSymbolicLink()) return "free";
    if (!found.isDirectory()) return "file";
    return readdirSync(target).length === 0 || isBundle(target) ? "free" : "foreign";
  } catch (error) {
    return isFileSystemError(error) ? refuse(directory, error) : rethrow(error);
  }
}

function isBundle(directory: string): boolean {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
    const format = (manifest as { readonly format?: unknown } | null)?.format;
    return typeof format === "string" && format.startsWith("dlmc-");
  } catch {
    return false;
  }
}

/** Removes temporary directories of runs that are no more: their names hold the process that made them. */
function removeLeftovers(parent: string, name: string): void {
  for (const entry of readdirSync(parent)) {
    const owner = entry.startsWith(`.${name}-`)
      ? /^(\d+)-\w{6}(\.old)?$/.exec(entry.slice(name.length + 2))
      : null;
    if (owner !== null && !isAlive(Number(owner[1])))
      rmSync(join(parent, entry), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Someone else's process may not be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Old aside, new in place, old away; when the second rename fails the old one goes back. */
function exchange(temporary: string, target: string): void {
  if (lstatSync(target, { throwIfNoEntry: false }) === undefined) {
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
