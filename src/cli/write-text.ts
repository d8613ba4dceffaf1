// A file that a flag names.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fail } from "../support/diagnostic.js";

/** Writes a text, and the directories to it. Throws `output/write`. */
export function writeText(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } catch (error) {
    fail("output/write", `cannot write ${path}: ${(error as Error).message}`, {
      help: "check the path and its permissions",
    });
  }
}
