// Filter layouts: which stored tap belongs to which lag. Every layout in released code becomes one tap table
// [taps, groups] and the row that is lag 0, which is what long_conv takes.
//
//   causal       K[j] = k[j]
//   offset_lag1  K[j] = k[j], K[-(j+1)] = r[j]             (S4 FFTConv, M2-BERT: pad and flip)
//   shared_lag0  K[j] = k[j], K[-j] = r[j], K[0] = k[0] + r[0]   (conjugate form, safari k_rev)
//   full_2l      K[j] = k[j], K[-j] = k[2 length - j]      (safari standalone_long_convs)
//   circular     K[lag mod L] = k[lag mod L]
// A block-causal filter has the negative lags of a bidirectional one; which of them a position sees, the op says.

import type { Filter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext } from "../context.js";

/** A kernel in the one form that long_conv takes. */
export interface Taps {
  readonly k: Value;
  readonly lag0: number;
  readonly circular: boolean;
  /** Positions of a block that is seen whole; 0: every lag of the table is seen. */
  readonly block: number;
}

function hasNegativeLags(span: Filter["span"]): boolean {
  return span === "bidirectional" || span === "block_causal";
}

/** Whether the layout takes a second set of taps, those of the reverse filter. */
export function twinOf({ span, reverse_filter: reverse }: Pick<Filter, "span" | "reverse_filter">): boolean {
  return hasNegativeLags(span) && (reverse === "offset_lag1" || reverse === "shared_lag0");
}

/** Forward taps (and reverse or second-half taps, by layout) as one table; rows beyond L never contribute. */
export function arrange(c: GraphContext, filter: Filter, forward: Value, reverse: Value | undefined): Taps {
  const { b } = c;
  const sequence = c.lowering.sequence;
  const rows = (x: Value, start: number, length: number): Value => {
    const whole = start === 0 && x.type.shape[0]!.value === length;
    return whole ? x : b.emit("slice", { x }, { axis: 0, start: dim(start), length: dim(length) });
  };
  const stored = forward.type.shape[0]!.value! / (filter.reverse_filter === "full_2l" ? 2 : 1);
  const used = Math.min(stored, sequence);
  const ordered = (x: Value, count: number): Value => {
    const taps = rows(x, 0, count);
    return filter.tap_order === "correlation" ? b.emit("reverse", { x: taps }, { axis: 0 }) : taps;
  };
  if (!hasNegativeLags(filter.span) || filter.reverse_filter === "none") {
    return { k: ordered(forward, used), lag0: 0, circular: filter.span === "circular", block: 0 };
  }
  const block = "block" in filter ? (filter.block ?? 0) : 0;
  const negative = Math.min(filter.reverse_filter === "offset_lag1" ? stored : stored - 1, sequence - 1);
  const join = (parts: readonly (Value | undefined)[]): Value => {
    const present = parts.filter((part) => part !== undefined);
    return present.length === 1 ? present[0]! : b.emit("concat", { xs: present }, { axis: 0 }, "taps");
  };
  const backwards = (x: Value): Value => b.emit("reverse", { x }, { axis: 0 });
  switch (filter.reverse_filter) {
    case "offset_lag1":
      return {
        k: join([negative > 0 ? backwards(rows(reverse!, 0, negative)) : undefined, ordered(forward, used)]),
        lag0: negative,
        circular: false,
        block,
      };
    case "shared_lag0": {
      const center = b.emit("add", { a: rows(forward, 0, 1), b: rows(reverse!, 0, 1) }, {});
      return {
        k: join([
          negative > 0 ? backwards(rows(reverse!, 1, negative)) : undefined,
          center,
          used > 1 ? rows(forward, 1, used - 1) : undefined,
        ]),
        lag0: negative,
        circular: false,
        block,
      };
    }
    case "full_2l":
      return {
        k: join([
          negative > 0 ? rows(forward, 2 * filter.length - negative, negative) : undefined,
          rows(forward, 0, used),
        ]),
        lag0: negative,
        circular: false,
        block,
      };
  }
}
