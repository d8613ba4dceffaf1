// A causal or block-causal convolution of a block's rows. Settled positions add the same to a block however often it is
// denoised:
//   y_i = sum over settled j of K[i - j] u_j + sum over j of the block of K[i - j] u_j
// The first sum is @prefix's, once a block; the second is a convolution of s samples. Where few rows before the block are
// reached, these are kept instead and stand in front of it.

import { dim } from "../../ir/dim.js";
import type { Op, Value } from "../../ir/graph.js";
import type { AttributeValues } from "../../ir/ops/index.js";
import { padded, sliced } from "../fft/view.js";
import { type BlockWriter, type Rows, single, takeRows } from "./block-writer.js";

/** Rows before a block that are cheaper to convolve with it again than to be summed once. */
const shortReach = 16;

export function convolutionRows(op: Op, c: BlockWriter): Rows {
  const attributes = op.attributes as unknown as AttributeValues<"long_conv">;
  const { lag0, circular, block } = attributes;
  const [x, k, skip] = op.operands as readonly [Value, Value, Value | undefined];
  if (circular || (lag0 > 0 && block === 0)) return c.refuse(op, "it sees positions to come");
  if (block > 0 && c.unit % block !== 0) return c.refuse(op, c.notWhole(block));
  if (c.rowsOf(k) !== undefined || c.rowsOf(skip) !== undefined) return c.refuse(op, "its taps are rows");
  const { b } = c.block;
  return b.at(op.loc.pointer, () => {
    const u = c.lineOf(op, x);
    const taps = k.type.shape[0]!.value!;
    const ahead = Math.min(lag0, Math.max(0, block - 1));
    const reach = Math.min(taps - 1 - lag0, c.capacity);
    const line: Line = { u, k, skip, lag0, ahead, behind: taps - 1 - lag0, block };
    const value =
      ahead === 0 && reach > 0 && reach <= shortReach
        ? withTail(c, line, reach)
        : withTerm(c, line, reach, op);
    return { value, axis: 1, outer: single };
  });
}

interface Line {
  readonly u: Value;
  /** Taps and skip, values of @denoise. */
  readonly k: Value;
  readonly skip: Value | undefined;
  readonly lag0: number;
  /** Lags below and above 0 that contribute. */
  readonly ahead: number;
  readonly behind: number;
  readonly block: number;
}

/** The reached rows in front of the block's, convolved together. */
function withTail(c: BlockWriter, { u, k, skip, lag0, behind }: Line, reach: number): Value {
  const { b } = c.block;
  const before = c.tail(c.name("u"), u, reach);
  const joined = b.emit("concat", { xs: [before, u] }, { axis: 1 });
  const used = sliced(b, c.block.copy(k), 0, lag0, Math.min(behind + 1, reach + c.size));
  const y = b.emit("long_conv", { x: joined, k: used, skip: skip && c.block.copy(skip) }, { lag0: 0 });
  return sliced(b, y, 1, reach, c.size);
}

/** The convolution of the block alone, and @prefix's term where settled rows are reached. */
function withTerm(c: BlockWriter, line: Line, reach: number, op: Op): Value {
  const { b } = c.block;
  const { u, k, skip, lag0, ahead, behind, block } = line;
  const used = sliced(b, c.block.copy(k), 0, lag0 - ahead, ahead + 1 + Math.min(behind, c.size - 1));
  // Positions beyond L are no samples.
  const inside = ahead > 0 ? c.inside() : undefined;
  const samples =
    inside === undefined
      ? u
      : c.block.masked(b.emit("reshape", { x: inside }, { shape: [dim(c.size), dim(1)] }), u);
  const own = b.emit(
    "long_conv",
    { x: samples, k: used, skip: skip && c.block.copy(skip) },
    { lag0: ahead, block: ahead > 0 && block < c.size ? block : 0 },
    "own",
  );
  if (reach === 0) return own;
  return b.emit("add", { a: own, b: settledTerm(c, line, op) }, {}, "convolved");
}

/** In @prefix: all settled samples convolved, and the rows of the block taken. */
function settledTerm(c: BlockWriter, { u, k, lag0, behind }: Line, op: Op): Value {
  const { b } = c.prefix;
  const name = c.name("u");
  const term = b.at(op.loc.pointer, () => {
    const { positions } = c.prefix;
    const kept = c.keep(name, u, c.prefix);
    const column = b.emit(
      "reshape",
      { x: c.prefix.settled(c.capacity) },
      { shape: [dim(c.capacity), dim(1)] },
    );
    const whole = c.capacity + c.size;
    const samples = padded(b, c.prefix.masked(column, kept), 1, 0, c.size);
    const used = sliced(b, c.prefix.copy(k), 0, lag0, Math.min(behind + 1, whole));
    const y = b.emit("long_conv", { x: samples, k: used }, { lag0: 0 }, "settled");
    return takeRows(b, y, positions, `settled_${name}`);
  });
  return c.term(name, term);
}
