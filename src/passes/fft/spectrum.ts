// The filter's spectrum as IR: one fft_spectrum op where it can be computed when the model is built, or the
// same stage products the data goes through, for taps that are known only when the model runs or loads.

import { dim } from "../../ir/dim.js";
import { points, spectrumShape, type Transform } from "../../ir/fft/transform.js";
import type { Value } from "../../ir/graph.js";
import type { Rewriter } from "../../ir/rewrite.js";
import { transformLines } from "./chain.js";
import { addSkip, type LagRange, lagsBetween, wrapLags } from "./taps.js";
import { joined, padded, reshaped } from "./view.js";

/** A filter over lines of `length` samples. `skip`, one number per tap column, is added at lag 0. */
export interface Filter {
  readonly taps: LagRange;
  readonly circular: boolean;
  readonly length: number;
  readonly skip?: Value | undefined;
}

/** The spectrum [Q, 2, 1, K, G] as one op, computed in float64 and rounded once. */
export function foldedSpectrum(b: Rewriter, transform: Transform, filter: Filter): Value {
  const { taps, circular, length, skip } = filter;
  const { form, factors } = transform;
  const attributes = { form, factors, lag0: 0 - taps.minLag, circular, length: dim(length) };
  const single = (v: Value) => (v.type.element === "f32" ? v : b.emit("cast", { x: v }, { to: "f32" }));
  const operands = { taps: single(taps.value), skip: skip && single(skip) };
  const spectrum = b.emit("fft_spectrum", operands, attributes, "spectrum");
  const element = taps.value.type.element as "f32" | "f16";
  return element === "f32" ? spectrum : b.emit("cast", { x: spectrum }, { to: element });
}

/** The spectrum [Q, 2, 1, K, G] by stage products over the taps. */
export function computedSpectrum(b: Rewriter, transform: Transform, filter: Filter): Value {
  const whole: Transform = { ...transform, rows: transform.factors[0]!, scaling: "last" };
  const groups = filter.taps.value.type.shape[1]!;
  const columns = { lead: [], width: groups };
  const { line, isComplex } = signalOf(b, whole, filter);
  const bins = transformLines(b, whole, line, columns, isComplex);
  return reshaped(b, bins, [...spectrumShape(whole, 1).slice(0, -1), groups], "spectrum");
}

/**
 * The taps as a line of M numbers. At a right angle a lag j < 0 is imaginary, at j + M: then the line is 2M
 * numbers, real parts first. Packed lines wrap.
 */
function signalOf(b: Rewriter, transform: Transform, filter: Filter): { line: Value; isComplex: boolean } {
  const { circular, length, skip } = filter;
  const M = points(transform);
  const taps = skip === undefined ? filter.taps : addSkip(b, filter.taps, skip);
  const useful = circular ? taps : lagsBetween(b, taps, 1 - length, length - 1);
  if (transform.form === "packed_circular") return { line: wrapLags(b, useful, M), isComplex: false };
  if (circular) {
    const turn: LagRange = { value: wrapLags(b, taps, length), minLag: 0, count: length };
    const real = padded(b, turn.value, 0, 0, M - length);
    if (length === 1) return { line: real, isComplex: false };
    const imaginary = padded(b, lagsBetween(b, turn, 1, length - 1).value, 0, M - length + 1, 0);
    return { line: joined(b, [real, imaginary], 0), isComplex: true };
  }
  const after = lagsBetween(b, useful, 0, length - 1);
  const real = padded(b, after.value, 0, 0, M - after.count);
  if (useful.minLag === 0) return { line: real, isComplex: false };
  const before = lagsBetween(b, useful, 1 - length, -1);
  return { line: joined(b, [real, padded(b, before.value, 0, M - before.count, 0)], 0), isComplex: true };
}
