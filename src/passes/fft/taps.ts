// Arranges the taps of a filter, k[T, G] with tap lag0 at lag 0, into the layouts the lowerings read. All of
// this is folded away when the taps are constants, and runs once per set of taps when the graph computes them.

import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { Rewriter } from "../../ir/rewrite.js";
import { padded, reshaped, sliced } from "./view.js";

/** Taps over the lags minLag .. minLag + count - 1: [count, G]. */
export interface LagRange {
  readonly value: Value;
  readonly minLag: number;
  readonly count: number;
}

/** The lags from..to (inclusive), of those there are. */
export function lagsBetween(b: Rewriter, taps: LagRange, from: number, to: number): LagRange {
  const first = Math.max(taps.minLag, from);
  const count = Math.min(taps.minLag + taps.count - 1, to) - first + 1;
  return { value: sliced(b, taps.value, 0, first - taps.minLag, count), minLag: first, count };
}

/** K[lag] at row lag mod period: [period, G]. Lags that meet are summed. */
export function wrapLags(b: Rewriter, { value, minLag, count }: LagRange, period: number): Value {
  const groups = value.type.shape[1]!;
  const before = ((minLag % period) + period) % period;
  const turns = Math.ceil((before + count) / period);
  const whole = padded(b, value, 0, before, turns * period - before - count);
  if (turns === 1) return whole;
  const stacked = reshaped(b, whole, [turns, period, groups]);
  return b.emit("reduce_sum", { x: stacked }, { axis: 0 });
}

/** One column of taps per channel: column c is column floor(c G / D). */
export function tapsPerChannel(b: Rewriter, taps: LagRange, channels: number): LagRange {
  const groups = taps.value.type.shape[1]!.value!;
  if (groups === channels) return taps;
  const apart = reshaped(b, taps.value, [taps.count, groups, 1]);
  const shape = [taps.count, groups, channels / groups].map(dim);
  const repeated = b.emit("broadcast", { x: apart }, { shape });
  return { ...taps, value: reshaped(b, repeated, [taps.count, channels]) };
}

/** K + skip at lag 0: y = K * x + skip x. Lag 0 must be among the taps, skip one number per column. */
export function addSkip(b: Rewriter, taps: LagRange, skip: Value): LagRange {
  const row = reshaped(b, skip, [1, skip.type.shape[0]!]);
  const term = padded(b, row, 0, 0 - taps.minLag, taps.count - 1 + taps.minLag);
  return { ...taps, value: b.emit("add", { a: taps.value, b: term }, {}) };
}
