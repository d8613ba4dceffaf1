// Numeric cases: a graph, what an implementation of it computes on a device, and whether that is within what
// rounding explains. The tolerance is derived, not chosen: the graph is evaluated in float64 with every op's
// result perturbed by its rounding model (runtime-check/predict.ts), and the measured error may exceed that
// prediction only by factors that honest errors exceed with probability `alpha`.

import { shaped } from "../../src/emit-wgsl/element.js";
import { groupOfOp, groupProblem, lowerGroup } from "../../src/emit-wgsl/group.js";
import type { Implementation } from "../../src/emit-wgsl/kernel.js";
import { defaultLimits, type Features, type Limits, noFeatures } from "../../src/emit-wgsl/limits.js";
import { Builder } from "../../src/ir/build.js";
import { type Graph, noWeights, type Value } from "../../src/ir/graph.js";
import { seededUniform } from "../../src/ir/seeded.js";
import { count, type Element, numbersPer, type Tensor, tensor } from "../../src/ir/tensor.js";
import { type as irType } from "../../src/ir/type.js";
import { type Accuracy, wgsl } from "../../src/runtime-check/accuracy.js";
import { compare, strain } from "../../src/runtime-check/compare.js";
import { defaultRuns, predict } from "../../src/runtime-check/predict.js";
import { predictedFactors } from "../../src/runtime-check/tolerance.js";
import type { Device } from "./device.js";
import { runOn } from "./run.js";

/**
 * What kernels promise: the builtins as WGSL's specification bounds them, the helpers of functions.ts (tanh, erf,
 * sin, cos) as polynomials and one exp or division: a few roundings and a few ULP of exp.
 */
export const kernelAccuracy: Accuracy = {
  name: "WGSL with dlmc's helpers",
  source: "WGSL section 15.7.4.1; src/emit-wgsl/functions.ts",
  functions: {
    ...wgsl.functions,
    tanh: { relative: 12 },
    erf: { relative: 12 },
    sin: { relative: 6, absolute: 4 },
    cos: { relative: 6, absolute: 4 },
  },
};

export interface Case {
  readonly name: string;
  readonly graph: Graph;
  /** Inputs in the graph's order; seeded numbers in [-1, 1) where left out. */
  readonly inputs: readonly Tensor[];
}

/** Numbers for an input by its name and element. */
export function numbers(
  name: string,
  element: Element,
  shape: readonly number[],
  scale = 1,
  below = 4,
): Tensor {
  const next = seededUniform(name);
  const data = Float64Array.from({ length: count(shape) * numbersPer(element) }, () =>
    element === "bool"
      ? Math.floor(2 * next())
      : element === "i32"
        ? Math.floor(below * next())
        : Math.fround(scale * (2 * next() - 1)),
  );
  return tensor(element, shape, element === "f16" ? data.map((v) => Math.round(v * 256) / 256) : data);
}

/** Builds a case: `input(name, shape)` declares an operand and its numbers. */
export function makeCase(
  name: string,
  build: (
    b: Builder,
    input: (name: string, shape: readonly number[], options?: InputOptions) => Value,
  ) => Readonly<Record<string, Value>>,
): Case {
  const builder = new Builder("group");
  const inputs: Tensor[] = [];
  const outputs = build(builder, (hint, shape, { element = "f32", scale, below, data } = {}) => {
    inputs.push(
      data === undefined
        ? numbers(`${name}/${hint}`, element, shape, scale, below)
        : tensor(element, shape, Float64Array.from(data)),
    );
    return builder.input(hint, irType(element, shape));
  });
  return { name, graph: builder.finish(outputs), inputs };
}

export interface InputOptions {
  readonly element?: Element;
  readonly scale?: number;
  /** Integers lie below this. */
  readonly below?: number;
  readonly data?: readonly number[];
}

/** The implementation of a case's graph. */
export function implementationOf(
  { graph }: Case,
  features: Features = noFeatures,
  limits: Limits = defaultLimits,
): Implementation {
  const problem = groupProblem(graph);
  if (problem !== undefined) throw new Error(problem);
  return lowerGroup(graph, { limits, features });
}

/** Runs a case and returns what is wrong with its outputs, and the largest measured / allowed. */
export async function judgeCase(
  device: Device,
  test: Case,
  features: Features = noFeatures,
  limits: Limits = defaultLimits,
): Promise<{ problems: string[]; strain: number }> {
  const alpha = 1e-6;
  const module = { dims: new Map(), graphs: [test.graph], weights: noWeights };
  const prediction = predict(module, test.graph, test.inputs, { accuracy: kernelAccuracy });
  const outputs = await runOn(
    device,
    implementationOf(test, features, limits),
    test.inputs,
    test.graph.outputs.map(shaped),
  );
  const problems: string[] = [];
  let most = 0;
  test.graph.outputs.forEach((value, k) => {
    const expected = prediction.reference.get(value)!;
    const predicted = prediction.values.get(value);
    const exact = expected.element === "i32" || expected.element === "bool" || predicted === undefined;
    const result = compare(
      outputs[k]!,
      expected,
      exact
        ? { kind: "exact" }
        : { kind: "whole", predicted, ...predictedFactors(alpha, predicted.degrees, defaultRuns) },
    );
    most = Math.max(most, strain(result));
    if (!result.passes)
      problems.push(
        `${test.name}: ${test.graph.outputNames[k]}[${result.worst}] is ${result.worstActual}, expected ${result.worstExpected}; ` +
          `${result.differing} of ${result.numbers} differ, strain ${strain(result).toFixed(2)}`,
      );
  });
  return { problems, strain: most };
}

export { groupOfOp };
