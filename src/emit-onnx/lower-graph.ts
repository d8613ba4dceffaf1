// One IR graph -> one ONNX graph: walks the ops in order, looks each up in the table, inlines calls.
import type { Graph, Module, Op, Value } from "../ir/graph.js";
import { operandRecord } from "../ir/op.js";
import { definitionOf } from "../ir/ops/index.js";
import { bug } from "../support/diagnostic.js";
import type { RuntimeRelease } from "./capability/opsets.js";
import { type BuiltGraph, GraphBuilder } from "./graph-builder.js";
import type { LoweringContext } from "./lowering.js";
import { onnxLowerings } from "./lowerings/index.js";
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
): BuiltGraph {
  const builder = GraphBuilder.create(graph.name, limits, pool);
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
  graph.inputs.forEach((value, i) => {
    values.set(value, inputs[i]!);
  });
  for (const op of graph.ops) {
    builder.at(op.loc);
    const operands = op.operands.map((v) => (v === undefined ? undefined : values.get(v)!));
    const results = lowerOp(module, op, operands, builder);
    op.results.forEach((value, i) => {
      values.set(value, results[i]!);
    });
  }
  return graph.outputs.map((value) => values.get(value)!);
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
