// long_conv as a depthwise Conv: the lowering for short filters. Long ones are turned into matrix products by
// the FFT passes before they get here.
//
// y[t] = sum_j k[j] x[t + lag0 - j]. Conv correlates, y[t] = sum_m w[m] x[t + m - before], so w is k backwards
// (m = T-1-j) and before = T-1-lag0, after = lag0.
import { type Dim, dim } from "../../ir/dim.js";
import { attr } from "../attributes.js";
import type { GraphBuilder } from "../graph-builder.js";
import type { OnnxLowerings } from "../lowering.js";
import { add, concat, expand, extentNumber, mul, reshape, slice, transpose } from "../nodes.js";
import type { OnnxValue } from "../value.js";

/** x extended by its own ends, as a sequence of period L: `before` numbers in front, `after` behind. */
function wrap(b: GraphBuilder, x: OnnxValue, before: number, after: number): OnnxValue {
  const length = extentNumber(x.type.shape[2]!);
  const parts: OnnxValue[] = [];
  const head = before % length;
  if (head > 0) parts.push(slice(b, x, 2, length - head, head));
  for (let n = Math.floor(before / length); n > 0; n--) parts.push(x);
  parts.push(x);
  for (let n = Math.floor(after / length); n > 0; n--) parts.push(x);
  const tail = after % length;
  if (tail > 0) parts.push(slice(b, x, 2, 0, tail));
  return concat(b, parts, 2);
}

/** Taps [T, G] -> Conv weights [D, 1, T], backwards, one row per channel. */
function kernel(b: GraphBuilder, k: OnnxValue, width: number): OnnxValue {
  const [taps, groups] = k.type.shape.map(extentNumber) as [number, number];
  const backwards = taps === 1 ? k : slice(b, k, 0, taps - 1, taps, -1);
  const rows = transpose(b, backwards, [1, 0]);
  if (groups === width) return reshape(b, rows, [width, 1, taps]);
  const repeated = expand(
    b,
    reshape(b, rows, [groups, 1, taps]),
    [groups, width / groups, taps].map((n) => dim(n)),
  );
  return reshape(b, repeated, [width, 1, taps]);
}

export const convolutions = {
  long_conv({ x, k, skip }, { lag0, circular }, b) {
    const [batch, length, channels] = x.type.shape as [Dim, Dim, Dim];
    const width = extentNumber(channels);
    const taps = extentNumber(k.type.shape[0]!);
    const [before, after] = [taps - 1 - lag0, lag0];
    const lines = transpose(b, x, [0, 2, 1]);
    const input = circular ? wrap(b, lines, before, after) : lines;
    const convolved = b.node(
      "Conv",
      [input, kernel(b, k, width)],
      { element: x.type.element, shape: [batch, channels, length] },
      {
        group: attr.int(width),
        kernel_shape: attr.ints([taps]),
        pads: attr.ints(circular ? [0, 0] : [before, after]),
      },
    );
    const y = transpose(b, convolved, [0, 2, 1]);
    return skip === undefined ? y : add(b, y, mul(b, x, skip));
  },
} satisfies OnnxLowerings;
