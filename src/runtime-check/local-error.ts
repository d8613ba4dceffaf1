// The rounding error of one op on a target, fed exact operands: the model of its definition, and what that leaves
// out because it depends on the target's functions, on stored constants, or on the signs of a sum's terms.

import type { Op } from "../ir/graph.js";
import { type AccurateFunction, operandRecord, type RoundingContext } from "../ir/op.js";
import { definitionOf } from "../ir/ops/index.js";
import type { Tensor } from "../ir/tensor.js";
import { type Accuracy, leastNormal, unitRoundoff } from "./accuracy.js";
import { oneSidedSums } from "./one-sided-sums.js";
import { stored } from "./stored.js";

type Operands = readonly (Tensor | undefined)[];

/**
 * One size per result number, absolute: what the error really is lies within it, like u |y| xi with xi in [-1, 1].
 */
export function localError(
  op: Op,
  operands: Operands,
  results: readonly Tensor[],
  accuracy: Accuracy,
): readonly Float64Array[] {
  const definition = definitionOf(op.name)!;
  const context: RoundingContext = { ulps: (name) => accuracy.functions[name].relative };
  const sizes = definition.rounding(
    operandRecord(definition.operands, operands) as never,
    results,
    op.attributes as never,
    context,
  );
  // Ops that have any of these have one result.
  const more = [
    oneSidedSums(op, operands, results),
    roundedOnce(op, operands, results),
    functionError(op, operands, results, accuracy),
  ].filter((part) => part !== undefined);
  return sizes.map((size, r) => {
    const u = unitRoundoff(results[r]!.element);
    return size.map((s, i) => u * more.reduce((sum, part) => sum + part[i]!, s));
  });
}

/** A factor that f32 does not hold is rounded before it is used; so is a number that is cast to half precision. */
function roundedOnce(
  { name, attributes }: Op,
  [x]: Operands,
  [y]: readonly Tensor[],
): Float64Array | undefined {
  if (name === "scale") {
    const factor = attributes.factor as number;
    return factor === Math.fround(factor) ? undefined : x!.data.map((v) => Math.abs(factor * v));
  }
  if (name !== "cast") return undefined;
  // What is below the least normal half may be read as zero.
  if (x!.element === "f16" && y!.element === "f32")
    return y!.data.map((v) => (Math.abs(v) < leastNormal("f16") ? 2 ** 24 * Math.abs(v) : 0));
  const kept = stored(y!).data;
  return y!.data.map((v, i) => (v === kept[i] ? 0 : Math.abs(v)));
}

const same = (): number => 1;
/** The function an op is made of, and how much of the function's absolute error reaches the result. */
const inner: Readonly<Record<string, (op: Op) => { of: AccurateFunction; gain: (x: number) => number }>> = {
  exp: () => ({ of: "exp", gain: same }),
  log: () => ({ of: "log", gain: same }),
  sqrt: () => ({ of: "sqrt", gain: same }),
  rsqrt: () => ({ of: "rsqrt", gain: same }),
  tanh: () => ({ of: "tanh", gain: same }),
  sigmoid: () => ({ of: "sigmoid", gain: same }),
  erf: () => ({ of: "erf", gain: same }),
  sin: () => ({ of: "sin", gain: same }),
  cos: () => ({ of: "cos", gain: same }),
  softplus: () => ({ of: "log", gain: same }),
  silu: () => ({ of: "sigmoid", gain: Math.abs }),
  gelu: ({ attributes }) => ({
    of: attributes.approximate === "tanh" ? "tanh" : "erf",
    gain: (x) => Math.abs(x) / 2,
  }),
};

/** The parts of a function's error that are not relative; definitions count the relative part. */
function functionError(
  op: Op,
  [x]: Operands,
  [y]: readonly Tensor[],
  accuracy: Accuracy,
): Float64Array | undefined {
  const used = inner[op.name]?.(op);
  if (used === undefined) return undefined;
  const { argument = 0, absolute = 0 } = accuracy.functions[used.of];
  return argument === 0 && absolute === 0
    ? undefined
    : x!.data.map((v, i) => absolute * used.gain(v) + argument * Math.abs(v * y!.data[i]!));
}
