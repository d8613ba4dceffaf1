// Text to tokens and back for the simplest vocabularies: a list of symbols, or a map from symbol to index
// (Diffusion-LM's vocab.json). Anything richer is the user's own tokenizer; the runtime only needs tokens.

import { type Diagnostic, DlmcError, fail } from "../support/diagnostic.js";
import type { FixedTokens } from "./fixed-positions.js";

/** How a vocabulary reads text. */
export interface TokenizerOptions {
  /** `characters` or whitespace-separated `words`; by default characters when every symbol is one. */
  readonly split?: "characters" | "words";
  /** Symbols that mean "generate this"; by default those of `_` and `.` that the vocabulary does not have. */
  readonly blanks?: readonly string[];
  /** Symbols that `decode` leaves out, e.g. START, END and PAD. */
  readonly hidden?: readonly string[];
}

/** A vocabulary with its reading rules. */
export interface Tokenizer {
  /** Symbol of every token. */
  readonly symbols: readonly string[];
  /**
   * Tokens of a text and which of them are given: blanks, and positions beyond the text's end, are not.
   * Throws `tokenizer/unknown-symbol` (one diagnostic for each symbol) and `tokenizer/too-long`.
   */
  encode(text: string, length: number): FixedTokens;
  /** The text of tokens: characters side by side, words with spaces. */
  decode(tokens: ArrayLike<number>): string;
}

/**
 * A tokenizer of a parsed vocabulary file: `["a", "b", ...]` or `{"a": 0, "b": 1, ...}`.
 * Throws `tokenizer/vocabulary` when it is neither, repeats a symbol, or leaves an index out.
 */
export function createTokenizer(vocabulary: unknown, options: TokenizerOptions = {}): Tokenizer {
  const symbols = symbolsOf(vocabulary);
  const index = new Map(symbols.map((symbol, token) => [symbol, token]));
  const characters =
    (options.split ?? (symbols.every(isCharacter) ? "characters" : "words")) === "characters";
  const blanks = new Set(options.blanks ?? ["_", "."].filter((symbol) => !index.has(symbol)));
  const hidden = new Set(options.hidden);
  const pieces = (text: string) =>
    characters
      ? [...text].filter((piece) => index.has(piece) || blanks.has(piece) || piece.trim() !== "")
      : text.split(/\s+/).filter((piece) => piece !== "");
  return {
    symbols,
    encode(text, length) {
      const read = pieces(text);
      const unknown = [...new Set(read.filter((piece) => !index.has(piece) && !blanks.has(piece)))];
      if (unknown.length > 0)
        throw new DlmcError(unknown.map((piece) => unknownSymbol(piece, symbols, blanks)));
      if (read.length > length)
        fail("tokenizer/too-long", `the text has ${read.length} symbols; the model has ${length} positions`, {
          help: "shorten the text, or compile the model for a greater length",
        });
      const tokens = new Int32Array(length);
      const mask = new Uint8Array(length);
      for (const [i, piece] of read.entries()) {
        if (blanks.has(piece)) continue;
        tokens[i] = index.get(piece)!;
        mask[i] = 1;
      }
      return { tokens, mask };
    },
    decode(tokens) {
      const shown = Array.from(tokens, (token) => symbols[token] ?? `<${token}>`);
      return shown.filter((symbol) => !hidden.has(symbol)).join(characters ? "" : " ");
    },
  };
}

function isCharacter(symbol: string): boolean {
  return [...symbol].length === 1;
}

function unknownSymbol(piece: string, symbols: readonly string[], blanks: ReadonlySet<string>): Diagnostic {
  // By their beginnings: a page has no room for an edit distance.
  const shared = (symbol: string): number => {
    let n = 0;
    while (n < piece.length && symbol[n] === piece[n]) n++;
    return n - Math.abs(symbol.length - piece.length) / 100;
  };
  const near = [...symbols].sort((a, b) => shared(b) - shared(a)).slice(0, 5);
  const blank = [...blanks].map((symbol) => `"${symbol}"`).join(" or ");
  return {
    severity: "error",
    code: "tokenizer/unknown-symbol",
    message: `"${piece}" is not in the vocabulary of ${symbols.length} symbols`,
    help: `the nearest are ${near.map((symbol) => `"${symbol}"`).join(", ")}${blank === "" ? "" : `; ${blank} marks a position to generate`}`,
  };
}

/** The symbols by index. */
function symbolsOf(vocabulary: unknown): readonly string[] {
  const bad = (message: string): never =>
    fail("tokenizer/vocabulary", message, {
      help: 'a vocabulary is a JSON list ["a", "b"] or a map {"a": 0, "b": 1}',
    });
  const isMap = typeof vocabulary === "object" && vocabulary !== null && !Array.isArray(vocabulary);
  if (!Array.isArray(vocabulary) && !isMap)
    return bad("the vocabulary is neither a list nor a map of symbols");
  const entries: readonly (readonly [unknown, unknown])[] = isMap
    ? Object.entries(vocabulary)
    : (vocabulary as readonly unknown[]).map((symbol, token) => [symbol, token]);
  const symbols = new Array<string>(entries.length);
  const seen = new Set<string>();
  for (const [symbol, token] of entries) {
    if (typeof symbol !== "string") return bad(`${JSON.stringify(symbol)} is not a symbol`);
    if (seen.has(symbol)) return bad(`"${symbol}" is listed twice`);
    seen.add(symbol);
    // As many different indices below the number of entries as there are entries: none is left out.
    if (typeof token !== "number" || !Number.isInteger(token) || token < 0 || token >= entries.length)
      return bad(
        `the index of "${symbol}" is ${JSON.stringify(token)}; ${entries.length} symbols have 0 to ${entries.length - 1}`,
      );
    if (symbols[token] !== undefined)
      return bad(`"${symbols[token]}" and "${symbol}" have the same index ${token}`);
    symbols[token] = symbol;
  }
  return symbols;
}
