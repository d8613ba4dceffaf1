// JSON of files that other programs read too: no comments, no duplicate keys, errors with a place.

import { type ParseError, parse, visit } from "jsonc-parser";

export type StrictJson =
  | { readonly value: unknown }
  /** `offset` counts characters of the text. */
  | { readonly problem: "syntax" | "duplicate"; readonly offset: number; readonly key?: string };

/** Parses a whole text; the first problem instead of a value when there is one. */
export function parseStrictJson(text: string): StrictJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const errors: ParseError[] = [];
    parse(text, errors, { disallowComments: true });
    return { problem: "syntax", offset: errors[0]?.offset ?? 0 };
  }
  return duplicateKey(text) ?? { value };
}

/** `JSON.parse` silently keeps the last of two equal keys, so two readers could see different files. */
function duplicateKey(text: string): StrictJson | undefined {
  const open: Set<string>[] = [];
  let found: StrictJson | undefined;
  visit(text, {
    onObjectBegin: () => {
      open.push(new Set());
    },
    onObjectEnd: () => {
      open.pop();
    },
    onObjectProperty: (key, offset) => {
      const seen = open.at(-1)!;
      if (seen.has(key)) found ??= { problem: "duplicate", offset, key };
      seen.add(key);
    },
  });
  return found;
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

/** One reference token of a JSON pointer, with its slash (RFC 6901). */
export function pointerToken(key: string): string {
  return `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
