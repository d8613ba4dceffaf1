// Mistakes that compilers of such models make, each a change to one op. `where` says which ops it can strike.

import type { Op } from "../../src/ir/graph.js";
import type { Tensor } from "../../src/ir/tensor.js";
import { decodeHalf, encodeHalf } from "../../src/support/half.js";
import { again, type Mistake, swapLast } from "./float32.js";

type Operands = Readonly<Record<string, Tensor>>;

export interface NamedMistake {
  readonly name: string;
  readonly strikes: (op: Op) => boolean;
  readonly result: (op: Op, operands: Operands, results: readonly Tensor[]) => readonly Tensor[];
}

const mapped = (x: Tensor, f: (v: number, i: number) => number): Tensor => ({ ...x, data: x.data.map(f) });
const half = (v: number): number => decodeHalf(encodeHalf(v));
/** 10 fraction bits, the products of TensorFloat-32. */
const tf32 = (v: number): number => {
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(v))) - 10);
  return v === 0 ? 0 : Math.round(v / unit) * unit;
};
const is =
  (...names: string[]) =>
  (op: Op): boolean =>
    names.includes(op.name);

export const mistakes: readonly NamedMistake[] = [
  {
    name: "epsilon 1e-3 for 1e-5 in a norm",
    strikes: is("layer_norm", "rms_norm"),
    result: (op, o) => again(op, o, { epsilon: 1e-3 }),
  },
  {
    name: "unbiased variance",
    strikes: (op) => op.name === "layer_norm" && op.results[0]!.type.shape.at(-1)!.value! > 1,
    result(op, { x, weight, bias }) {
      const n = x!.shape.at(-1)!;
      const wrong = mapped(weight!, (v) => v * Math.sqrt((n - 1) / n));
      return again(op, { x: x!, weight: wrong, bias: bias! });
    },
  },
  {
    name: "bias dropped",
    strikes: (op) => op.name === "linear" && op.operands[2] !== undefined,
    result: (op, { x, weight }) => again(op, { x: x!, weight: weight! }),
  },
  {
    name: "weight transposed",
    strikes: (op) =>
      op.name === "linear" && op.operands[1]!.type.shape[0]!.equals(op.operands[1]!.type.shape[1]!),
    result: (op, o) => again(op, { ...o, weight: swapLast(o.weight!) }),
  },
  {
    name: "half-precision products",
    strikes: is("linear"),
    result: (op, o) => again(op, { ...o, x: mapped(o.x!, half) }),
  },
  {
    name: "TF32 products",
    strikes: is("linear"),
    result: (op, o) => again(op, { ...o, x: mapped(o.x!, tf32), weight: mapped(o.weight!, tf32) }),
  },
  {
    name: "filter one lag late",
    strikes: (op) => op.name === "long_conv",
    result: (op, o) => again(op, o, { lag0: (op.attributes.lag0 as number) - 1 }),
  },
  {
    name: "circular for linear convolution, or the reverse",
    strikes: is("long_conv"),
    result: (op, o) => again(op, o, { circular: !op.attributes.circular }),
  },
  {
    name: "skip term dropped",
    strikes: (op) => op.name === "long_conv" && op.operands[2] !== undefined,
    result: (op, { x, k }) => again(op, { x: x!, k: k! }),
  },
  {
    name: "tanh for erf in GELU, or the reverse",
    strikes: is("gelu"),
    result: (op, o) => again(op, o, { approximate: op.attributes.approximate === "tanh" ? "none" : "tanh" }),
  },
  {
    name: "q and k exchanged",
    strikes: is("attention"),
    result: (op, { q, k, v }) => again(op, { q: k!, k: q!, v: v! }),
  },
  {
    name: "mask forgotten, or added",
    strikes: is("attention"),
    result: (op, o) => again(op, o, { mask: op.attributes.mask === "full" ? "causal" : "full" }),
  },
  {
    name: "scale 1/sqrt(width) for 1/sqrt(head)",
    strikes: (op) => op.name === "attention" && op.attributes.heads !== 1,
    result: (op, o) => again(op, o, { scale: 1 / Math.sqrt(o.q!.shape[2]!) }),
  },
  {
    name: "softmax along the wrong axis",
    strikes: is("softmax"),
    result: (op, o) => again(op, o, { axis: 1 }),
  },
  {
    name: "residual dropped",
    strikes: is("add"),
    result: (_, { b }) => [b!],
  },
  {
    name: "sigmoid by a short polynomial",
    strikes: is("sigmoid", "silu"),
    result: (_, { x }, [y]) => [mapped(y!, (v, i) => Math.fround(v + 1e-5 * Math.sin(9 * x!.data[i]!)))],
  },
  {
    name: "mean over n + 1",
    strikes: is("reduce_mean"),
    result: (op, { x }, [y]) => [
      mapped(y!, (v) =>
        Math.fround(
          (v * x!.shape[op.attributes.axis as number]!) / (x!.shape[op.attributes.axis as number]! + 1),
        ),
      ),
    ],
  },
  {
    name: "factor as a half-precision constant",
    strikes: is("scale"),
    result: (op, o) => again(op, o, { factor: half(op.attributes.factor as number) }),
  },
  {
    name: "last number never written",
    strikes: (op) => op.results[0]!.type.element === "f32" && op.operands.length > 0,
    result: (_, __, [y]) => [mapped(y!, (v, i) => (i === y!.data.length - 1 ? 0 : Math.fround(v)))],
  },
  {
    name: "one number off by 1e-4 of itself",
    strikes: (op) => op.results[0]!.type.element === "f32" && op.operands.length > 0,
    result: (_, __, [y]) => {
      // The largest: an error of 1e-4 of a number near 0 is within the rounding of its sum.
      const at = y!.data.reduce((m, v, i) => (Math.abs(v) > Math.abs(y!.data[m]!) ? i : m), 0);
      return [mapped(y!, (v, i) => Math.fround(i === at ? v * (1 + 1e-4) : v))];
    },
  },
  {
    name: "argmax one too far",
    strikes: is("argmax"),
    result: (_, { x }, [y]) => [mapped(y!, (v) => (v + 1) % x!.shape[2]!)],
  },
];

/** The mistake made in the n-th op of the run that it can strike; ops are counted over one evaluation. */
export function mistakeAt(mistake: NamedMistake, target: (op: Op) => boolean): Mistake {
  return (op, operands, results) =>
    mistake.strikes(op) && target(op) ? mistake.result(op, operands, results) : undefined;
}
