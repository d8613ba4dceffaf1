// Diagnostics as text: place, code, message, the line with a caret, the other side, the way out.
//
//   model.json:4:55: error[model/heads-divide]: 3 heads do not divide a width of 16
//     |
//   4 |   "mixer": { "kind": "attention", "heads": 3 }
//     |                                            ^ /block/mixer/heads
//   model.json:2:12: note: the width
//     |
//   2 |   "width": 16,
//     |            ^^
//     = help: use 1, 2, 4, 8 or 16 heads

import type { Diagnostic, Note } from "./diagnostic.js";
import { type JsonSpans, jsonSpans, type Span } from "./json.js";
import { parentPointer } from "./pointer.js";

/** How diagnostics are written. */
export interface FrameOptions {
  /** The text of an input file, when it is at hand; without it only the pointer is printed. */
  readonly source?: (file: string) => string | undefined;
  /** ANSI colours. Default: none. */
  readonly color?: boolean;
}

/** Whether to colour: on a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb. */
export function wantsColor(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if (environment.NO_COLOR) return false;
  if (environment.FORCE_COLOR) return environment.FORCE_COLOR !== "0";
  return isTerminal && environment.TERM !== "dumb";
}

/** Line and column, both from 1; columns count UTF-16 units as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Line and column of a character offset. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}

/** Something with a place: a diagnostic or a note. */
interface Placed {
  readonly pointer?: string;
  readonly offset?: number;
  readonly atKey?: boolean;
}

/**
 * Characters a diagnostic is about. A pointer that the text does not have (a default) climbs to its nearest
 * parent. Undefined when it has no place.
 */
export function spanOf(placed: Placed, text: string, spans: JsonSpans = jsonSpans(text)): Span | undefined {
  if (placed.offset !== undefined) {
    const start = Math.min(Math.max(0, placed.offset), text.length);
    return { start, end: start + (wordAt(text, start)?.length ?? 1) };
  }
  if (placed.pointer === undefined) return undefined;
  for (let pointer = placed.pointer; ; pointer = parentPointer(pointer)) {
    const key = placed.atKey === true && pointer === placed.pointer ? spans.keys.get(pointer) : undefined;
    const span = key ?? spans.values.get(pointer);
    if (span !== undefined) return span;
    if (pointer === "") return { start: 0, end: Math.min(1, text.length) };
  }
}

/** A quoted text or a run of word characters, so that a caret underlines all of it. */
function wordAt(text: string, start: number): string | undefined {
  return /^(?:"(?:[^"\\\n]|\\.)*"|[\w.+-]+)/.exec(text.slice(start, start + 200))?.[0];
}

/** Diagnostics of one text in the order of their places; those without a place come first. */
export function sortByPlace(diagnostics: readonly Diagnostic[], text: string): Diagnostic[] {
  const spans = jsonSpans(text);
  const start = (diagnostic: Diagnostic) => spanOf(diagnostic, text, spans)?.start ?? -1;
  return [...diagnostics].sort((a, b) => start(a) - start(b));
}

/** All diagnostics, separated by empty lines. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], options: FrameOptions = {}): string {
  return diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, options)).join("\n\n");
}

/** One diagnostic with its frame, notes and help; several lines, no line break at the end. */
export function formatDiagnostic(diagnostic: Diagnostic, options: FrameOptions = {}): string {
  const paint = options.color === true ? ansi : plain;
  const { severity, code, message, notes = [], help, file } = diagnostic;
  const hue = severity === "error" ? paint.red : paint.yellow;
  const parts = [part(diagnostic, file, paint.bold(hue(`${severity}[${code}]`)), message, hue, options)];
  for (const note of notes) {
    const placed = note.pointer !== undefined && !isLeftOut(note, note.file ?? file, options);
    if (placed)
      parts.push(part(note, note.file ?? file, paint.cyan("note"), note.message, paint.cyan, options));
    else
      parts.push(
        `  = ${paint.cyan("note")}: ${note.message}${note.pointer === undefined ? "" : ` (${note.pointer} is left out)`}`,
      );
  }
  if (help !== undefined) parts.push(`  = ${paint.green("help")}: ${help}`);
  return parts.join("\n");
}

/** A whole concept that the text leaves to its default: there is no line worth showing. */
function isLeftOut({ pointer = "" }: Note, file: string | undefined, { source }: FrameOptions): boolean {
  const text = file === undefined ? undefined : source?.(file);
  const concept = /^\/[^/]+/.exec(pointer)?.[0];
  return text !== undefined && concept !== undefined && !jsonSpans(text).values.has(concept);
}

/** `file:line:column: label: message` and the frame below it, or what of it is known. */
function part(
  placed: Diagnostic | Note,
  file: string | undefined,
  label: string,
  message: string,
  hue: (text: string) => string,
  options: FrameOptions,
): string {
  const text = file === undefined ? undefined : options.source?.(file);
  const span = text === undefined ? undefined : spanOf(placed, text);
  if (text === undefined || span === undefined) {
    const pointer = placed.pointer === undefined || placed.pointer === "" ? "" : ` (${placed.pointer})`;
    return `${file === undefined ? "" : `${file}: `}${label}: ${message}${pointer}`;
  }
  const { line, column } = positionAt(text, span.start);
  const heading = `${file}:${line}:${column}: ${label}: ${message}`;
  return `${heading}\n${frame(text, span, placed.pointer ?? "", hue)}`;
}

/** Characters of a line that are shown. */
const widest = 100;

function frame(text: string, span: Span, pointer: string, hue: (text: string) => string): string {
  const { line, column } = positionAt(text, span.start);
  const whole = (text.split("\n")[line - 1] ?? "").replace(/\r$/, "");
  // A value over several lines is marked to the end of its first line only where that is short.
  const onLine = Math.min(span.end, span.start + whole.length - (column - 1));
  const length = text.slice(span.start, span.end).includes("\n") ? 1 : Math.max(1, onLine - span.start);
  const from = Math.max(0, Math.min(column - 1 - Math.floor(widest / 3), whole.length - widest));
  const shown = whole.slice(from, from + widest);
  const [head, tail] = [from > 0 ? "... " : "", from + widest < whole.length ? " ..." : ""];
  const indent = (head + shown).slice(0, head.length + column - 1 - from).replace(/[^\t]/g, " ");
  const marks = "^".repeat(Math.max(1, Math.min(length, from + widest - (column - 1))));
  const margin = " ".repeat(String(line).length);
  const where = pointer === "" ? "" : ` ${pointer}`;
  return `${margin} |\n${line} | ${head}${shown}${tail}\n${margin} | ${indent}${hue(marks + where)}`;
}

const plain = { bold: same, red: same, yellow: same, cyan: same, green: same };
const ansi = {
  bold: (text: string) => `\u001b[1m${text}\u001b[22m`,
  red: (text: string) => `\u001b[31m${text}\u001b[39m`,
  yellow: (text: string) => `\u001b[33m${text}\u001b[39m`,
  cyan: (text: string) => `\u001b[36m${text}\u001b[39m`,
  green: (text: string) => `\u001b[32m${text}\u001b[39m`,
};

function same(text: string): string {
  return text;
}
