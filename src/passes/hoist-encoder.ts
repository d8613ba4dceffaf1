// What depends only on an encoder's output and on weights is the same in every step of a generation: its projection, the
// keys and values of every cross-attention. It moves out of the graphs that take `encoder`:
//   @encode(encoder f32[B, S, d]) -> encoded.*, run once per generation; the graphs take what they read of those as
//   trailing inputs in the place of encoder. What two graphs compute alike is computed once.

import { Builder } from "../ir/build.js";
import { evaluate } from "../ir/evaluate.js";
import { findGraph, type Graph, type Module, type Op, present, type Value } from "../ir/graph.js";
import { freeName } from "./constants/fold.js";
import { type ConstantNode, findConstants } from "./constants/nodes.js";
import { keyOf } from "./merge-duplicates.js";
import type { Pass } from "./pass.js";
import { withoutDeadOps } from "./remove-dead.js";

const graphName = "encode";
const inputName = "encoder";

export const hoistEncoder: Pass = {
  name: "hoist-encoder",
  summary: "compute what depends only on the encoder's output once per generation",
  run(module) {
    const readers = module.graphs.filter((graph) => encoderOf(graph) !== undefined);
    if (readers.length === 0) return module;
    const encode = new EncodeGraph(module, encoderOf(readers[0]!)!);
    const rebuilt = module.graphs.map((graph) => withoutEncoder(graph, encode));
    const made = encode.finish();
    if (made.outputs.length === 0) return module;
    return withoutDeadOps({ ...module, graphs: [made, ...rebuilt] });
  },
  relateInputs(_, given, result) {
    const encode = findGraph(result, graphName);
    const encoder = given.get(inputName);
    if (encode === undefined || encoder === undefined) return { before: given, after: given };
    const values = evaluate(result, graphName, [encoder]);
    const named = values.map((value, i) => [encode.outputNames[i]!, value] as const);
    return { before: given, after: new Map([...given, ...named]) };
  },
};

function encoderOf(graph: Graph): Value | undefined {
  return graph.name === graphName ? undefined : graph.inputs.find((v) => v.hint === inputName);
}

/** The graph with inputs in the place of what @encode computes for it. */
function withoutEncoder(graph: Graph, encode: EncodeGraph): Graph {
  const encoder = encoderOf(graph);
  if (encoder === undefined) return graph;
  const moved = encode.take(graph, encoder);
  const stays = graph.ops.filter((op) => !op.results.some((v) => moved.has(v)));
  const read = new Set([...stays.flatMap(present), ...graph.outputs]);
  const inputs = new Map<Value, Value>();
  for (const [value, copy] of moved)
    if (value !== encoder && read.has(value))
      inputs.set(value, { type: value.type, hint: encode.nameOf(copy) });
  const replaced = (value: Value): Value => inputs.get(value) ?? value;
  return {
    ...graph,
    inputs: [...graph.inputs.filter((v) => v !== encoder || read.has(v)), ...inputs.values()],
    ops: stays.map((op) => ({ ...op, operands: op.operands.map((v) => v && replaced(v)) })),
    outputs: graph.outputs.map(replaced),
  };
}

/** @encode while it grows: equal ops of several graphs are one. */
class EncodeGraph {
  private readonly b = new Builder(graphName);
  private readonly constants;
  private readonly input: Value;
  private readonly byKey = new Map<string, Value>();
  private readonly numbers = new Map<Value, number>();
  private readonly copies = new Map<ConstantNode, Value>();
  private readonly names = new Map<Value, string>();

  constructor(module: Module, encoder: Value) {
    this.constants = findConstants(module);
    this.input = this.b.input(inputName, encoder.type);
  }

  /** Every value of the graph that @encode has now, with its copy there. */
  take(graph: Graph, encoder: Value): ReadonlyMap<Value, Value> {
    const moved = new Map([[encoder, this.input]]);
    for (const op of graph.ops) {
      const known = op.operands.every(
        (v) => v === undefined || moved.has(v) || this.constants.nodeOf(v) !== undefined,
      );
      if (!known || !present(op).some((v) => moved.has(v)) || op.results.length !== 1 || op.name === "call")
        continue;
      const operands = op.operands.map(
        (v) => v && (moved.get(v) ?? this.constant(this.constants.nodeOf(v)!)),
      );
      moved.set(op.results[0]!, this.once(op, operands));
    }
    return moved;
  }

  /** The name of an output; the value becomes one. */
  nameOf(value: Value): string {
    const taken = new Set(this.names.values());
    const name =
      this.names.get(value) ??
      freeName(`encoded.${value.hint ?? this.names.size}`, (candidate) => taken.has(candidate));
    this.names.set(value, name);
    return name;
  }

  finish(): Graph {
    return this.b.finish(Object.fromEntries([...this.names].map(([value, name]) => [name, value])));
  }

  private once(op: Op, operands: readonly (Value | undefined)[]): Value {
    const key = keyOf({ ...op, operands }, (v) => this.numberOf(v));
    const value = this.byKey.get(key) ?? this.emit(op, operands);
    this.byKey.set(key, value);
    return value;
  }

  private constant(node: ConstantNode): Value {
    const known = this.copies.get(node);
    if (known !== undefined) return known;
    const operands = node.operands.map((operand) => operand && this.constant(operand));
    const value = this.emit(node.op, operands);
    this.copies.set(node, value);
    return value;
  }

  private emit(op: Op, operands: readonly (Value | undefined)[]): Value {
    const loc = { ...op.loc, via: ["hoist-encoder", ...op.loc.via] };
    const hints = op.results.map((v) => v.hint);
    return this.b.emitList(op.name, operands, op.attributes, hints, loc)[0]!;
  }

  private numberOf(value: Value): number {
    const number = this.numbers.get(value) ?? this.numbers.size;
    this.numbers.set(value, number);
    return number;
  }
}
