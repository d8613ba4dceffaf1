// How far a tensor may be from upstream's, and why.
//
//   reference  max |ours - f64| <= 1e-9 max |f64|                      (both are exact arithmetic up to rounding)
//   compiled   max |ours - f64| <= 10 gap, gap = max |upstream's f32 - f64| as the case states it; where it states
//              none or 0: 10 units in the last place of float32 at max |f64|
//   table      |ours - f64| <= 1e-9 |f64| for every single entry: schedules and coefficients, computed on the host only
//   exact      tokens and indices are equal
//
// Differences of activations are measured over a whole tensor, because rounding errors of sums follow the largest
// terms.

import { type BackendName, type Each, entriesOf } from "./each.js";
import { type GoldenCase, gapOf, tensorOf } from "./golden-case.js";

/**
 * One tensor that we computed, under upstream's name. Only the reference has what never reaches a compiled graph:
 * tables and schedules.
 */
export interface Computed extends Each<ArrayLike<number>> {
  readonly name: string;
  /** Tokens and indices: equal or not. */
  readonly exact?: boolean;
  /** Tables: every entry by its own magnitude. */
  readonly table?: boolean;
  /** Where only a part of upstream's tensor has a counterpart: that part. */
  readonly expected?: ArrayLike<number>;
}

/** One comparison as reported. */
export interface Comparison {
  readonly tensor: string;
  readonly backend: BackendName;
  readonly kind: "real" | "table" | "exact";
  /** Largest absolute difference; of a table the largest relative one; of an exact comparison how many entries differ. */
  readonly difference: number;
  /** What `difference` may be at most. */
  readonly allowed: number;
  /** Largest magnitude of upstream's tensor. */
  readonly magnitude: number;
  readonly pass: boolean;
}

/** Relative tolerance of the reference. */
export const referenceTolerance = 1e-9;
/** A compiled back end may differ by this many times upstream's own float32 gap. */
export const gapFactor = 10;

/** Compares one tensor on the back ends it was computed on. */
export function compare(golden: GoldenCase, computed: Computed): Comparison[] {
  const expected = computed.expected ?? tensorOf(golden, computed.name).data;
  const magnitude = largest(expected);
  const kind = computed.exact === true ? "exact" : computed.table === true ? "table" : "real";
  const one = (backend: Comparison["backend"], ours: ArrayLike<number>): Comparison => {
    const difference = differences[kind](ours, expected);
    const allowed = allowedDifference(golden, computed.name, kind, backend, magnitude);
    return {
      tensor: computed.name,
      backend,
      kind,
      difference,
      allowed,
      magnitude,
      pass: difference <= allowed,
    };
  };
  return entriesOf(computed).map(([backend, ours]) => one(backend, ours));
}

function allowedDifference(
  golden: GoldenCase,
  name: string,
  kind: Comparison["kind"],
  backend: Comparison["backend"],
  magnitude: number,
): number {
  if (kind === "exact") return 0;
  if (kind === "table") return referenceTolerance;
  if (backend === "reference") return referenceTolerance * (magnitude > 0 ? magnitude : 1);
  const gap = gapOf(golden, name)?.max_abs ?? 0;
  return gapFactor * (gap > 0 ? gap : unitInLastPlace(magnitude));
}

/** Distance of two float32 numbers at a magnitude. */
export function unitInLastPlace(magnitude: number): number {
  const exponent = magnitude > 0 ? Math.max(-126, Math.floor(Math.log2(magnitude))) : -126;
  return 2 ** (exponent - 23);
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

const differences = { real: largestDifference, table: largestRelative, exact: mismatches };

/** max |a - b|; infinite for other lengths and where either side is not a number. */
function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return worst(a, b, () => 1);
}

/** max |a - b| / |b|, where b is 0 the difference itself. */
function largestRelative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return worst(a, b, (size) => (size > 0 ? size : 1));
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>, unit: (size: number) => number): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < b.length; i++) {
    if (a[i] === b[i]) continue;
    const difference = Math.abs(a[i]! - b[i]!) / unit(Math.abs(b[i]!));
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    most = Math.max(most, difference);
  }
  return most;
}

function mismatches(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Math.max(a.length, b.length);
  let n = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) n++;
  return n;
}
