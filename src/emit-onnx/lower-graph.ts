// One IR graph -> one ONNX graph: walks the ops in order, looks each up in the table, inlines calls.

import { evaluateOp } from "../ir/evaluate.js";
import type { Graph, Module, Op, Value } from "../ir/graph.js";
import { type EvaluateContext, operandRecord } from "../ir/op.js";
import { definitionOf } from "../ir/ops/index.js";
import type { Tensor } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import type { BuiltGraph } from "./built-graph.js";
import type { RuntimeRelease } from "./capability/opsets.js";
import type { LoweringOptions } from "./file-state.js";
import { GraphBuilder } from "./graph-builder.js";
import type { LoweringContext } from "./lowering.js";
import { onnxLowerings } from "./lowerings/index.js";
import { extentNumber } from "./nodes.js";
import { type OnnxValue, onnxType } from "./value.js";
import type { WeightScope } from "./weight-pool.js";

/** The lowering under a name known only at run time; the one place that forgets the table's literal types. */
type AnyLowering = (
  operands: Record<string, unknown>,
  attributes: Op["attributes"],
  builder: GraphBuilder,
  context: LoweringContext,
) => OnnxValue | readonly OnnxValue[];
const table = onnxLowerings as unknown as Readonly<Record<string, AnyLowering | undefined>>;

/** Builds the ONNX graph of `graph`; its inputs and outputs keep the IR's names. */
export function lowerGraph(
  module: Module,
  graph: Graph,
  limits: RuntimeRelease,
  pool: WeightScope,
  options: LoweringOptions,
): BuiltGraph {
  const builder = GraphBuilder.create(graph.name, limits, pool, options);
  const inputs = graph.inputs.map((value, i) =>
    builder.input(value.hint ?? `input${i}`, onnxType(value.type)),
  );
  const results = lowerBody(module, graph, inputs, builder);
  return builder.finish(results.map((value, i) => ({ name: graph.outputNames[i]!, value })));
}

/** Lowers the ops of `graph` into an open builder, with `inputs` in place of its inputs; returns its outputs. */
export function lowerBody(
  module: Module,
  graph: Graph,
  inputs: readonly OnnxValue[],
  builder: GraphBuilder,
): readonly OnnxValue[] {
  const values = new Map<Value, OnnxValue>();
  const known = knownNumbers(module);
  graph.inputs.forEach((value, i) => {
    values.set(value, inputs[i]!);
  });
  for (const op of graph.ops) {
    builder.at(op.loc);
    known.see(op);
    const operands = op.operands.map((v) => {
      const value = v && values.get(v);
      const read = v && wantsNumbers.has(op.name) ? known.reader(v) : undefined;
      return value && read ? { ...value, constant: { read } } : value;
    });
    const results = lowerOp(module, op, operands, builder);
    op.results.forEach((value, i) => {
      values.set(value, results[i]!);
    });
  }
  return graph.outputs.map((value) => values.get(value)!);
}

/** Ops that are computed when the file is written, from operands that may be whole expressions of constants. */
const wantsNumbers: ReadonlySet<string> = new Set(["fft_spectrum"]);

/** Follows which values of a graph depend on constants alone; their numbers are computed when somebody asks. */
function knownNumbers(module: Module) {
  const readers = new Map<Value, () => Tensor>();
  const context: EvaluateContext = {
    size: extentNumber,
    shape: (extents) => extents.map(extentNumber),
    weight: (name) => module.weights.read(name),
    call: (graph) => bug(`@${graph} is not a constant`),
  };
  return {
    see(op: Op): void {
      const operands = op.operands.map((v) => v && readers.get(v));
      const constant = op.operands.every((v, i) => v === undefined || operands[i] !== undefined);
      const bound = op.results.every((v) => v.type.shape.every((extent) => extent.value !== undefined));
      if (op.name === "call" || !constant || !bound) return;
      let results: readonly Tensor[] | undefined;
      op.results.forEach((value, i) => {
        readers.set(value, () => {
          results ??= evaluateOp(
            op,
            operands.map((read) => read?.()),
            context,
          );
          return results[i]!;
        });
      });
    },
    reader: (value: Value): (() => Tensor) | undefined => readers.get(value),
  };
}

function lowerOp(
  module: Module,
  op: Op,
  operands: readonly (OnnxValue | undefined)[],
  builder: GraphBuilder,
): readonly OnnxValue[] {
  if (op.name === "weight") {
    const name = op.attributes.name as string;
    const type = onnxType(op.results[0]!.type);
    return [builder.constant(name, type, { weight: name, read: () => module.weights.read(name) })];
  }
  if (op.name === "call") {
    const callee =
      module.graphs.find((g) => g.name === op.attributes.graph) ?? bug(`no graph ${op.attributes.graph}`);
    return lowerBody(module, callee, operands as readonly OnnxValue[], builder);
  }
  const lowering =
    table[op.name] ?? bug(`no ONNX lowering of ${op.name}; the pass pipeline should have expanded it`);
  const context: LoweringContext = {
    operandTypes: op.operands.map((v) => v?.type),
    resultTypes: op.results.map((v) => v.type),
  };
  const record = operandRecord(definitionOf(op.name)!.operands, operands);
  const results = lowering(record, op.attributes, builder, context);
  return Array.isArray(results) ? results : [results as OnnxValue];
}
