// Strict JSON (RFC 8259) with the place of every value and key. No comments, no trailing commas, and a
// repeated key is an error: which of the two would win is a matter of luck.

import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import type { Report } from "./diagnostic.js";
import { joinPointer } from "./pointer.js";

/** Characters [start, end) of a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where the parts of a JSON text are, by JSON pointer. */
export interface JsonSpans {
  readonly values: ReadonlyMap<string, Span>;
  /** Keys of object members, quotation marks included. */
  readonly keys: ReadonlyMap<string, Span>;
}

/** A parsed JSON text. */
export interface JsonDocument {
  readonly text: string;
  readonly value: unknown;
  readonly spans: JsonSpans;
}

/** Nesting beyond this is refused, so that no reader runs out of stack. */
const deepest = 200;

const whatIsWrong: Readonly<Record<string, string>> = {
  InvalidSymbol: "this is not a JSON value",
  InvalidNumberFormat: "this is not a JSON number",
  PropertyNameExpected: "expected a key in double quotes",
  ValueExpected: "expected a value",
  ColonExpected: "expected a colon after the key",
  CommaExpected: "expected a comma between members",
  CloseBraceExpected: "expected a closing brace",
  CloseBracketExpected: "expected a closing bracket",
  EndOfFileExpected: "expected the end of the file",
  InvalidCommentToken: "JSON has no comments",
  UnexpectedEndOfComment: "JSON has no comments",
  UnexpectedEndOfString: "this text has no closing quotation mark",
  UnexpectedEndOfNumber: "this number is unfinished",
  InvalidUnicode: "this is not a \\u escape: four hexadecimal digits are needed",
  InvalidEscapeCharacter: "there is no such escape in JSON",
  InvalidCharacter: "this character must be written as an escape",
};

/**
 * Parses `text`, reporting every problem: `json/syntax`, `json/duplicate-key`, `json/number`,
 * `json/too-deep`. Undefined when the text has no value that could be used.
 */
export function parseJson(text: string, report: Report): JsonDocument | undefined {
  const deep = offsetOfDepth(text, deepest);
  if (deep !== undefined) {
    report.error("json/too-deep", `values are nested more than ${deepest} deep`, { offset: deep });
    return undefined;
  }
  const errors: ParseError[] = [];
  const tree = parseTree(withoutMark(text), errors, {
    disallowComments: true,
    allowTrailingComma: false,
    allowEmptyContent: false,
  });
  reportSyntax(text, errors, report);
  if (errors.length > 0 || tree === undefined) return undefined;
  const before = report.diagnostics.length;
  const value = toValue(tree, report);
  if (report.diagnostics.length > before) return undefined;
  return { text, value, spans: toSpans(tree) };
}

/** Places of everything in `text` that can be made out, also when the text is damaged. */
export function jsonSpans(text: string): JsonSpans {
  const damaged = offsetOfDepth(text, deepest) !== undefined;
  return toSpans(damaged ? undefined : parseTree(withoutMark(text), [], { disallowComments: true }));
}

/** A byte order mark may be ignored (RFC 8259 section 8.1); a space in its place keeps every offset. */
function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, " ");
}

/** The parser goes on after an error and then finds consequences of the first; only the first is shown. */
function reportSyntax(text: string, errors: readonly ParseError[], report: Report): void {
  const first = errors.reduce<ParseError | undefined>(
    (least, error) => (least === undefined || error.offset < least.offset ? error : least),
    undefined,
  );
  if (first === undefined) return;
  const name = printParseErrorCode(first.error);
  const atEnd = text.slice(first.offset).trim() === "";
  const trailingComma =
    (name === "PropertyNameExpected" || name === "ValueExpected") &&
    /,\s*$/.test(text.slice(0, first.offset));
  if (trailingComma) {
    report.error("json/syntax", "JSON has no trailing commas", {
      offset: text.lastIndexOf(",", first.offset - 1),
    });
    return;
  }
  const quoted = text[first.offset] === "'";
  const message = quoted ? "texts in JSON have double quotes" : (whatIsWrong[name] ?? name);
  report.error(
    "json/syntax",
    atEnd && name !== "EndOfFileExpected" ? `${message}, but the file ends` : message,
    {
      offset: Math.min(first.offset, text.length),
    },
  );
}

/** The members of an object node; a member whose key or value is missing is left out. */
function membersOf(node: Node): { key: Node; value: Node }[] {
  return (node.children ?? []).flatMap(({ children: [key, value] = [] }) =>
    key !== undefined && value !== undefined ? [{ key, value }] : [],
  );
}

function toSpans(tree: Node | undefined): JsonSpans {
  const values = new Map<string, Span>();
  const keys = new Map<string, Span>();
  const visit = (node: Node, pointer: string): void => {
    values.set(pointer, { start: node.offset, end: node.offset + node.length });
    if (node.type === "array")
      for (const [i, child] of (node.children ?? []).entries()) visit(child, joinPointer(pointer, i));
    if (node.type !== "object") return;
    for (const { key, value } of membersOf(node)) {
      const place = joinPointer(pointer, String(key.value));
      if (keys.has(place)) continue;
      keys.set(place, { start: key.offset, end: key.offset + key.length });
      visit(value, place);
    }
  };
  if (tree !== undefined) visit(tree, "");
  return { values, keys };
}

function toValue(node: Node, report: Report, pointer = ""): unknown {
  if (node.type === "array")
    return (node.children ?? []).map((child, i) => toValue(child, report, joinPointer(pointer, i)));
  if (node.type !== "object") {
    if (typeof node.value === "number" && !Number.isFinite(node.value))
      report.error("json/number", "this number is too large for float64", { offset: node.offset });
    return node.value;
  }
  const object: Record<string, unknown> = {};
  for (const { key, value } of membersOf(node)) {
    const name = String(key.value);
    const place = joinPointer(pointer, name);
    if (Object.hasOwn(object, name)) {
      report.error("json/duplicate-key", `the key "${name}" stands here twice`, {
        offset: key.offset,
        notes: [{ message: "the first one", pointer: place }],
        help: "keep one of the two",
      });
      continue;
    }
    // Assignment to "__proto__" would change the prototype instead.
    Object.defineProperty(object, name, {
      value: toValue(value, report, place),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return object;
}

/** Offset of the first bracket that opens deeper than `limit`, texts in quotation marks left out. */
function offsetOfDepth(text: string, limit: number): number | undefined {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inText) {
      if (c === "\\") i++;
      else if (c === '"') inText = false;
    } else if (c === '"') inText = true;
    else if (c === "{" || c === "[") {
      if (++depth > limit) return i;
    } else if (c === "}" || c === "]") depth--;
  }
  return undefined;
}
