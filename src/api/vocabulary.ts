// The vocabulary of a description: symbols in place or in a file beside it.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Vocabulary as DescribedVocabulary, Description } from "../description/description.js";
import type { TokenizerOptions } from "../runtime/tokenizer.js";
import { fail } from "../support/diagnostic.js";
import type { LoadedModel } from "./load.js";

/** Symbols (a list, or a map from symbol to id) and how text is read with them. */
export interface Vocabulary {
  readonly symbols: unknown;
  readonly options: TokenizerOptions;
}

/** The vocabulary a description names, or undefined. Throws `vocabulary/source`, `vocabulary/open`, `vocabulary/size`. */
export function vocabularyOf({
  description,
  file,
}: Pick<LoadedModel, "description" | "file">): Vocabulary | undefined {
  const [place, tokens] = describedTokens(description);
  if (tokens?.vocabulary === undefined) return undefined;
  const { vocabulary, vocab_size } = tokens;
  if ((vocabulary.symbols === undefined) === (vocabulary.file === undefined)) {
    fail("vocabulary/source", "a vocabulary has either symbols or a file", {
      file,
      pointer: `${place}/vocabulary`,
    });
  }
  const symbols =
    vocabulary.symbols ??
    readSymbols(resolve(dirname(file), vocabulary.file!), file, `${place}/vocabulary/file`);
  const size = Array.isArray(symbols) ? symbols.length : Object.keys(symbols as object).length;
  if (size !== vocab_size) {
    fail("vocabulary/size", `vocab_size is ${vocab_size}, the vocabulary has ${size} symbols`, {
      file,
      pointer: `${place}/vocabulary`,
      notes: [{ message: "the size", pointer: `${place}/vocab_size` }],
    });
  }
  return {
    symbols,
    options: {
      ...(vocabulary.blanks && { blanks: vocabulary.blanks }),
      ...(vocabulary.split && { split: vocabulary.split }),
      ...(vocabulary.hidden && { hidden: vocabulary.hidden }),
    },
  };
}

/** Where a description's tokens are described, and how. */
function describedTokens(
  description: Description,
): readonly [place: string, tokens: { vocab_size: number; vocabulary?: DescribedVocabulary } | undefined] {
  if (description.part === "model" && description.decoder) return ["/decoder", description.decoder];
  const state = "state_space" in description ? description.state_space : undefined;
  return ["/state_space", state && "vocab_size" in state ? state : undefined];
}

function readSymbols(path: string, model: string, pointer: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    return fail("vocabulary/open", `cannot read the vocabulary ${path}: ${(error as Error).message}`, {
      file: model,
      pointer,
    });
  }
}
