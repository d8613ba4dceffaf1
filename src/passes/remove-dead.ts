// An op none of whose results is read changes nothing: every op is a pure function of its operands.

import { type Graph, type Module, present, type Value } from "../ir/graph.js";
import type { Pass } from "./pass.js";

export const removeDead: Pass = {
  name: "remove-dead",
  summary: "drop ops whose results nothing reads",
  run: withoutDeadOps,
};

/** The module without ops that no output needs; the same object when there are none. Graphs all stay. */
export function withoutDeadOps(module: Module): Module {
  const graphs = module.graphs.map(withoutDead);
  return graphs.every((g, i) => g === module.graphs[i]) ? module : { ...module, graphs };
}

function withoutDead(graph: Graph): Graph {
  const read = new Set<Value>(graph.outputs);
  const kept = new Set<object>();
  for (const op of graph.ops.toReversed()) {
    if (!op.results.some((v) => read.has(v))) continue;
    kept.add(op);
    for (const v of present(op)) read.add(v);
  }
  return kept.size === graph.ops.length ? graph : { ...graph, ops: graph.ops.filter((op) => kept.has(op)) };
}
