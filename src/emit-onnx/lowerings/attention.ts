// Softmax attention and rotary embedding, written out in operators that every provider has.
import { type Dim, dim } from "../../ir/dim.js";
import { type AttentionMask, ropeFrequency, sees } from "../../ir/ops/attention.js";
import { attr } from "../attributes.js";
import type { GraphBuilder } from "../graph-builder.js";
import type { OnnxLowerings } from "../lowering.js";
import {
  add,
  concat,
  extentNumber,
  matmul,
  mul,
  reshape,
  scalar,
  slice,
  split,
  sub,
  transpose,
  unary,
  where,
} from "../nodes.js";
import type { OnnxValue } from "../value.js";

/** The most negative finite number: added to a score it leaves exp exactly 0, and no provider sees an infinity. */
const masked = { float: -3.4028234663852886e38, float16: -65504 } as const;

/** 0 where query i sees key j, else the most negative number. */
function maskTable(
  b: GraphBuilder,
  mask: AttentionMask,
  [queries, keys]: readonly [number, number],
  element: "float" | "float16",
): OnnxValue {
  return b.memoized(`${mask.mask} ${mask.span} ${mask.window} ${element} ${queries} ${keys}`, () => {
    const visible = sees(mask, keys);
    const numbers = Array.from({ length: queries * keys }, (_, at) =>
      visible(Math.floor(at / keys), at % keys) ? 0 : masked[element],
    );
    return b.literal(element, [queries, keys], numbers, `${mask.mask}_mask`);
  });
}

/** The biases [heads, Q + K - 1] as a number for every query and key, [heads, Q, K]. */
function byDistance(b: GraphBuilder, bias: OnnxValue, [queries, keys]: readonly [number, number]): OnnxValue {
  const columns = b.memoized(`distances ${queries} ${keys}`, () => {
    const numbers = Array.from(
      { length: queries * keys },
      (_, at) => (at % keys) - Math.floor(at / keys) + queries - 1,
    );
    return b.literal("int64", [queries, keys], numbers, "distances");
  });
  const shape = [bias.type.shape[0]!, dim(queries), dim(keys)];
  return b.node("Gather", [bias, columns], { element: bias.type.element, shape }, { axis: attr.int(1) });
}

interface Rotation {
  readonly rotary: number;
  readonly base: number;
  readonly skip: number;
  readonly turning: number;
}

/** cos and sin of (t - skip) base^(-2i/rotary) for t = 0 .. length-1, [length, 1, rotary/2]; no turn before skip. */
function rotation(b: GraphBuilder, f: "cos" | "sin", length: number, of: Rotation): OnnxValue {
  const half = of.rotary / 2;
  return b.memoized(`rope ${f} ${length} ${of.rotary} ${of.base} ${of.skip} ${of.turning}`, () => {
    const numbers = Array.from({ length: length * half }, (_, at) => {
      const t = Math.max(0, Math.floor(at / half) - of.skip);
      return Math[f](t * ropeFrequency(at % half, of));
    });
    return b.literal("float", [length, 1, half], numbers, `rope_${f}`);
  });
}

export const attentions = {
  attention({ q, k, v, visible: shown, bias }, { heads, kv_heads, scale, ...mask }, b) {
    const [batch, length, width] = q.type.shape as [Dim, Dim, Dim];
    const keys = k.type.shape[1]!;
    const size = extentNumber(width) / heads;
    const group = heads / kv_heads;
    const element = q.type.element === "float16" ? "float16" : "float";
    // [B, kv_heads, group, L, size]; without sharing the group axis is left out.
    const shared = group > 1;
    const split4 = (x: OnnxValue, n: typeof keys, toLast: boolean): OnnxValue => {
      const parts = reshape(b, x, [batch, n, kv_heads, size]);
      const turned = transpose(b, parts, toLast ? [0, 2, 3, 1] : [0, 2, 1, 3]);
      const [first, second] = toLast ? [dim(size), n] : [n, dim(size)];
      return shared ? reshape(b, turned, [batch, kv_heads, 1, first, second]) : turned;
    };
    const scaled = scale === 1 ? q : mul(b, q, scalar(b, scale, element));
    const queries = shared
      ? transpose(b, reshape(b, scaled, [batch, length, kv_heads, group, size]), [0, 2, 3, 1, 4])
      : split4(scaled, length, false);
    const products = matmul(b, queries, split4(k, keys, true));
    const counts = [extentNumber(length), extentNumber(keys)] as const;
    const groups = shared ? [kv_heads, group] : [kv_heads];
    const scores =
      bias === undefined
        ? products
        : add(b, products, reshape(b, byDistance(b, bias, counts), [...groups, ...counts]));
    const ones = new Array<number>(shared ? 3 : 2).fill(1);
    const visible =
      shown !== undefined
        ? where(b, reshape(b, shown, [batch, ...ones, keys]), scores, scalar(b, masked[element], element))
        : mask.mask === "full"
          ? scores
          : add(b, scores, maskTable(b, mask, counts, element));
    const weights = unary(b, "Softmax", visible, { axis: attr.int(-1) });
    const mixed = matmul(b, weights, split4(v, keys, false));
    const back = transpose(b, mixed, shared ? [0, 3, 1, 2, 4] : [0, 2, 1, 3]);
    return reshape(b, back, [batch, length, width]);
  },
  rope({ x }, { heads, rotary, base, layout, skip, turning }, b) {
    const [batch, length, width] = x.type.shape as [Dim, Dim, Dim];
    const size = extentNumber(width) / heads;
    const half = rotary / 2;
    const table = { rotary, base, skip, turning };
    const cos = rotation(b, "cos", extentNumber(length), table);
    const sin = rotation(b, "sin", extentNumber(length), table);
    const split3 = reshape(b, x, [batch, length, heads, size]);
    const rest = rotary < size ? slice(b, split3, 3, rotary, size - rotary) : undefined;
    let first: OnnxValue;
    let second: OnnxValue;
    if (layout === "half") {
      first = slice(b, split3, 3, 0, half);
      second = slice(b, split3, 3, half, half);
    } else {
      const turning = slice(b, split3, 3, 0, rotary);
      const pairs = reshape(b, turning, [batch, length, heads, half, 2]);
      const [one, two] = split(b, pairs, 4, [1, 1]) as [OnnxValue, OnnxValue];
      first = reshape(b, one, [batch, length, heads, half]);
      second = reshape(b, two, [batch, length, heads, half]);
    }
    // (x1 + i x2) e^(i angle)
    const turnedFirst = sub(b, mul(b, first, cos), mul(b, second, sin));
    const turnedSecond = add(b, mul(b, second, cos), mul(b, first, sin));
    const turned =
      layout === "half"
        ? concat(b, [turnedFirst, turnedSecond], 3)
        : reshape(
            b,
            concat(
              b,
              [turnedFirst, turnedSecond].map((y) => reshape(b, y, [batch, length, heads, half, 1])),
              4,
            ),
            [batch, length, heads, rotary],
          );
    const whole = rest === undefined ? turned : concat(b, [turned, rest], 3);
    return reshape(b, whole, [batch, length, width]);
  },
} satisfies OnnxLowerings;
