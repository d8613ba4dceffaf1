// What goes to the terminal: diagnostics with code frames on stderr, facts on stdout, JSON when asked.

import { readFileSync } from "node:fs";
import type { Diagnostic, DlmcBug } from "../support/diagnostic.js";
import { formatDiagnostics, wantsColor } from "../support/frame.js";

/** More than this and the first ones are lost off the screen. */
const shown = 20;

/** Prints diagnostics with the lines they are about; past the first twenty only how many there are of each code. */
export function printProblems(diagnostics: readonly Diagnostic[]): void {
  const texts = new Map<string, string | undefined>();
  const source = (file: string): string | undefined => {
    if (!texts.has(file)) texts.set(file, /\.(json|ir)$/.test(file) ? readOrNothing(file) : undefined);
    return texts.get(file);
  };
  const color = wantsColor(process.env, process.stderr.isTTY === true);
  process.stderr.write(`${formatDiagnostics(diagnostics.slice(0, shown), { source, color })}\n`);
  if (diagnostics.length <= shown) return;
  const counts = new Map<string, number>();
  for (const { code } of diagnostics.slice(shown)) counts.set(code, (counts.get(code) ?? 0) + 1);
  const rest = [...counts].map(([code, count]) => `${count} of ${code}`).join(", ");
  process.stderr.write(`\nand ${diagnostics.length - shown} more: ${rest}\n`);
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Prints an error of dlmc itself, with the IR it happened on and how to report it. */
export function printBug(error: Error | DlmcBug): void {
  const module = "module" in error && error.module !== undefined ? `\n${error.module}\n` : "";
  process.stderr.write(
    `internal error: ${error.stack ?? error.message}\n${module}\nThis is a mistake of dlmc, not of your input. Please report it with the text above and the description.\n`,
  );
}

/** Facts on stdout. */
export function print(text: string): void {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

/** A value as JSON on stdout: two-space indented, one document. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, jsonNumber, 2));
}

/** Infinities have no JSON number; they are spelled out instead of becoming null. */
function jsonNumber(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** 1234567 bytes as 1.2 MB. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}
