// The JSON text of a safetensors header. Headers have up to 100 MB, so no syntax tree is built, and they come
// from strangers, so nesting is bounded before anything recursive looks at the text.

import { createScanner, type ParseError, parse } from "jsonc-parser";

export type HeaderJson =
  | { readonly value: unknown }
  /** `offset` counts characters of the text. */
  | { readonly problem: "syntax" | "nesting" | "duplicate"; readonly offset: number; readonly key?: string };

/** Three levels are all that a valid header has; a few more make a better message about the entry. */
const deepest = 16;

/** Parses a whole text strictly; the first problem instead of a value when there is one. */
export function parseHeaderJson(text: string): HeaderJson {
  const structure = checkStructure(text);
  if (structure?.problem === "nesting") return structure;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const errors: ParseError[] = [];
    parse(text, errors, { disallowComments: true });
    return { problem: "syntax", offset: errors[0]?.offset ?? 0 };
  }
  return structure ?? { value };
}

/**
 * Finds a key that an object has twice, or too deep nesting, token by token. `JSON.parse` silently keeps
 * the last of two equal keys, so two readers of one file could see different tensors.
 */
function checkStructure(text: string): Exclude<HeaderJson, { value: unknown }> | undefined {
  const scanner = createScanner(text, true);
  const open: Set<string>[] = [];
  let lastText = { key: "", offset: 0 };
  let duplicate: Exclude<HeaderJson, { value: unknown }> | undefined;
  for (scanner.scan(); scanner.getTokenOffset() < text.length; scanner.scan()) {
    const offset = scanner.getTokenOffset();
    // The first character of a token says its kind.
    const first = text[offset];
    if (first === "{" || first === "[") {
      if (open.push(new Set()) > deepest) return { problem: "nesting", offset };
    } else if (first === "}" || first === "]") {
      open.pop();
    } else if (first === '"') {
      lastText = { key: scanner.getTokenValue(), offset };
    } else if (first === ":") {
      const keys = open.at(-1);
      if (keys?.has(lastText.key)) duplicate ??= { problem: "duplicate", ...lastText };
      keys?.add(lastText.key);
    }
  }
  return duplicate;
}

/** A JSON object, not a list and not null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as text, cut so that a hostile file cannot flood the terminal. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
