// f(x; a) computed twice = f(x; a) computed once: ops are pure, so the same op on the same values gives the same
// results. The first one stays.

import { Dim } from "../ir/dim.js";
import type { Attribute, Graph, Op, Value } from "../ir/graph.js";
import { withOperands } from "../ir/rewrite.js";
import type { Pass } from "./pass.js";

export const mergeDuplicates: Pass = {
  name: "merge-duplicates",
  summary: "compute equal ops once",
  run(module) {
    const graphs = module.graphs.map(merged);
    return graphs.every((g, i) => g === module.graphs[i]) ? module : { ...module, graphs };
  },
};

function merged(graph: Graph): Graph {
  const numbers = new Map<Value, number>();
  const first = new Map<string, Op>();
  const replaced = new Map<Value, Value>();
  const ops: Op[] = [];
  const number = (value: Value): number => {
    const known = numbers.get(value) ?? numbers.size;
    numbers.set(value, known);
    return known;
  };
  for (const original of graph.ops) {
    const op = withOperands(original, replaced);
    const key = keyOf(op, number);
    const known = first.get(key);
    if (known === undefined) {
      first.set(key, op);
      ops.push(op);
    } else
      op.results.forEach((result, i) => {
        replaced.set(result, known.results[i]!);
      });
  }
  if (replaced.size === 0) return graph;
  return { ...graph, ops, outputs: graph.outputs.map((v) => replaced.get(v) ?? v) };
}

/** Equal keys, equal results: the op's name, its attributes and which values it reads. */
export function keyOf(op: Op, number: (value: Value) => number): string {
  const operands = op.operands
    .map((v) => (v === undefined ? "_" : number(v)))
    .join(",")
    .replace(/(,_)+$/, "");
  const attributes = Object.keys(op.attributes)
    .sort()
    .map((name) => `${name}=${attributeKey(op.attributes[name]!)}`);
  return `${op.name}(${operands}){${attributes.join(";")}}`;
}

function attributeKey(value: Attribute): string {
  if (value instanceof Dim) return value.key;
  if (Array.isArray(value)) return `[${(value as readonly Attribute[]).map(attributeKey).join(",")}]`;
  return Object.is(value, -0)
    ? "-0"
    : JSON.stringify(value) === "null"
      ? String(value)
      : JSON.stringify(value);
}
