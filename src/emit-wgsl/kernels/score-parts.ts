// What the two dispatches of a score kernel share: the terms scores are made of, the ends their results go to, and
// where the slices of the vocabulary leave their partial results.

import type { Limits } from "../limits.js";
import type { KernelWriter } from "../writer.js";

/** Below every finite score; WGSL has no infinity. */
export const lowest = "-3.4028234663852886e38";

/** One inner product or squared distance that scores are made of. */
export interface Term {
  readonly k: number;
  readonly kind: "dot" | "distance";
  /** Element (row, k) and element (entry, k). */
  a(row: string, k: string, lanes: 1 | 4): string;
  b(entry: string, k: string, lanes: 1 | 4): string;
}

/** Ends of the first dispatch. */
export interface ScoreEnds {
  readonly writer: KernelWriter;
  readonly terms: readonly Term[];
  /** score[row, entry] from the values of the terms. */
  score(row: string, entry: string, terms: readonly string[]): string;
  /** Element (entry, column) of the table that is averaged. */
  table?(entry: string, column: string, lanes: 1 | 4): string;
}

/** Ends of the second dispatch. */
export interface JoinEnds {
  readonly writer: KernelWriter;
  mean?(row: string, column: string, value: string): void;
  best?(row: string, value: string): void;
}

export interface Scores {
  readonly name: string;
  readonly comment: readonly string[];
  readonly m: number;
  readonly vocabulary: number;
  /** Columns of the averaged table; 0 without. */
  readonly width: number;
  readonly wantsBest: boolean;
  readonly limits: Limits;
  open(lanes: 1 | 4): ScoreEnds;
  openJoin(): JoinEnds;
}

/** The scratch buffer both dispatches share. */
export const partials = { kind: "scratch", index: 0 } as const;
