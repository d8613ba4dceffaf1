// The reference: a module evaluated in float64, straight from the op definitions. It is the specification;
// what an artefact computes is compared with this.

import { bug } from "../support/diagnostic.js";
import type { Dim } from "./dim.js";
import { type Graph, type Module, type Op, present, type Value } from "./graph.js";
import { type EvaluateContext, operandRecord } from "./op.js";
import { definitionOf } from "./ops/index.js";
import { count, type Tensor } from "./tensor.js";
import { typeText } from "./type.js";

export interface EvaluateOptions {
  /** Sees every op with its operands and results, in order, and may replace the results (e.g. to perturb them). */
  readonly observe?: (
    op: Op,
    operands: readonly (Tensor | undefined)[],
    results: readonly Tensor[],
    graph: Graph,
  ) => readonly Tensor[] | undefined;
}

/** Evaluates graph `name` of the module on tensors in the order of its inputs; sizes of free dims come from them. */
export function evaluate(
  module: Module,
  name: string,
  inputs: readonly Tensor[],
  options: EvaluateOptions = {},
): readonly Tensor[] {
  const graph = module.graphs.find((g) => g.name === name);
  if (graph === undefined) bug(`no graph @${name}`);
  const sizes = bindSizes(graph, inputs);
  const weights = new Map<string, Tensor>();
  const context: EvaluateContext = {
    size: (extent: Dim) => extent.evaluate(sizes),
    shape: (extents) => extents.map((extent) => extent.evaluate(sizes)),
    weight(weightName) {
      const known = weights.get(weightName) ?? module.weights.read(weightName);
      weights.set(weightName, known);
      return known;
    },
    call(callee, operands) {
      const target = module.graphs.find((g) => g.name === callee);
      if (target === undefined) bug(`no graph @${callee}`);
      return run(target, operands);
    },
  };
  const run = (target: Graph, operands: readonly Tensor[]): readonly Tensor[] => {
    const values = new Map<Value, Tensor>();
    target.inputs.forEach((value, i) => {
      values.set(value, operands[i]!);
    });
    const last = lastUses(target);
    target.ops.forEach((op, at) => {
      const given = op.operands.map((v) => (v === undefined ? undefined : values.get(v)!));
      const computed = evaluateOp(op, given, context);
      const results = options.observe?.(op, given, computed, target) ?? computed;
      op.results.forEach((value, i) => {
        values.set(value, results[i]!);
      });
      for (const value of present(op)) if (last.get(value) === at) values.delete(value);
    });
    return target.outputs.map((value) => values.get(value)!);
  };
  return run(graph, inputs);
}

/** One op on concrete tensors. */
export function evaluateOp(
  op: Op,
  operands: readonly (Tensor | undefined)[],
  context: EvaluateContext,
): readonly Tensor[] {
  const definition = definitionOf(op.name);
  if (definition === undefined) bug(`no op named ${op.name}`);
  return definition.evaluate(
    operandRecord(definition.operands, operands) as never,
    op.attributes as never,
    context,
  );
}

/** Sizes of free dims, read off the inputs: an input axis that is a lone symbol binds it. */
export function bindSizes(graph: Graph, inputs: readonly Tensor[]): Map<string, number> {
  const sizes = new Map<string, number>();
  if (graph.inputs.length !== inputs.length)
    bug(`@${graph.name} takes ${graph.inputs.length} inputs, got ${inputs.length}`);
  graph.inputs.forEach((value, i) => {
    value.type.shape.forEach((extent, axis) => {
      const size = inputs[i]!.shape[axis];
      if (
        extent.value === undefined &&
        /^\w+$/.test(extent.key) &&
        size !== undefined &&
        !sizes.has(extent.key)
      )
        sizes.set(extent.key, size);
    });
  });
  graph.inputs.forEach((value, i) => {
    const expected = value.type.shape.map((extent) => extent.evaluate(sizes));
    if (
      count(expected) !== count(inputs[i]!.shape) ||
      expected.some((n, axis) => n !== inputs[i]!.shape[axis])
    )
      bug(
        `input ${value.hint} of @${graph.name} is ${typeText(value.type)} = [${expected}], got [${inputs[i]!.shape}]`,
      );
  });
  return sizes;
}

/** Index of the last op that reads each value; outputs live on. */
export function lastUses(graph: Graph): Map<Value, number> {
  const last = new Map<Value, number>();
  graph.ops.forEach((op, at) => {
    for (const value of present(op)) last.set(value, at);
  });
  for (const value of graph.outputs) last.set(value, Number.POSITIVE_INFINITY);
  return last;
}
