// One graph without calls: what a check looks at op by op. Ops keep their place in model.json.

import type { Graph, Module, Op, Value } from "../ir/graph.js";
import { findGraph } from "../ir/graph.js";
import { withOperands } from "../ir/rewrite.js";
import { bug } from "../support/diagnostic.js";

/** Graph `name` with every `call` replaced by the ops of its callee. Graph inputs and outputs stay as they are. */
export function flatten(module: Module, name: string): Graph {
  const graph = findGraph(module, name) ?? bug(`no graph @${name}`);
  const ops: Op[] = [];
  const outputs = inline(module, graph, new Map(graph.inputs.map((v) => [v, v])), ops);
  return { ...graph, ops, outputs };
}

function inline(module: Module, graph: Graph, given: ReadonlyMap<Value, Value>, ops: Op[]): Value[] {
  // Values of the callee -> values of the flat graph. Each call gets values of its own.
  const replaced = new Map(given);
  const of = (value: Value): Value => replaced.get(value) ?? bug(`value ${value.hint ?? "?"} is undefined`);
  for (const original of graph.ops) {
    const op = withOperands(original, replaced);
    if (op.name === "call") {
      const callee =
        findGraph(module, op.attributes.graph as string) ?? bug("call of a graph that is missing");
      const results = inline(
        module,
        callee,
        new Map(callee.inputs.map((input, i) => [input, op.operands[i]!])),
        ops,
      );
      original.results.forEach((result, i) => {
        replaced.set(result, results[i]!);
      });
      continue;
    }
    const results = original.results.map((result): Value => ({ ...result }));
    original.results.forEach((result, i) => {
      replaced.set(result, results[i]!);
    });
    ops.push({ ...op, results });
  }
  return graph.outputs.map(of);
}
