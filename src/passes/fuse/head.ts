// Rounding heads: logits that only a softmax averaged over a table, or an argmax, reads. One group of several
// anchors computes them online, so that logits are never in memory.
//
//   logits = f(x W^T, ..)     x0 = softmax(logits) E     tokens = argmax logits

import { type Graph, type Op, present, type Value } from "../../ir/graph.js";

interface Head {
  /** The op that says where the head came from: the product with the table, or the argmax. */
  readonly anchor: Op;
  readonly members: ReadonlySet<Op>;
}

/** Every head of the graph. Members are anchors and the elementwise ops between linear layers and logits. */
export function headsOf(graph: Graph, roleOf: (op: Op) => string): Head[] {
  const producers = new Map<Value, Op>();
  const users = new Map<Value, Op[]>();
  for (const op of graph.ops) {
    for (const result of op.results) producers.set(result, op);
    for (const value of new Set(present(op))) users.set(value, [...(users.get(value) ?? []), op]);
  }
  const usersOf = (value: Value): readonly Op[] => users.get(value) ?? [];
  const heads: Head[] = [];
  const taken = new Set<Value>();
  for (const end of graph.ops) {
    const logits = end.operands[0];
    if ((end.name !== "softmax" && end.name !== "argmax") || logits === undefined || taken.has(logits))
      continue;
    taken.add(logits);
    if (graph.outputs.includes(logits) || !logits.type.shape.every((extent) => extent.value !== undefined))
      continue;
    const readers = usersOf(logits);
    const [softmax, ...softmaxes] = readers.filter((op) => op.name === "softmax" && isAlongLast(op));
    const [argmax, ...others] = readers.filter((op) => op.name === "argmax" && isAlongLast(op));
    const ends = [softmax, argmax].filter((op) => op !== undefined);
    if (softmaxes.length + others.length > 0 || ends.length !== readers.length) continue;
    const mean = softmax && meanOf(softmax, graph, usersOf);
    if (softmax !== undefined && mean === undefined) continue;
    const members = new Set<Op>([...ends, ...(mean ? [mean] : [])]);
    const linears = scoresOf(logits, logits, producers, roleOf, members);
    if (linears === undefined || linears.length === 0) continue;
    const isInner = (op: Op): boolean =>
      ends.includes(op) ||
      op === mean ||
      op.results.every((v) => v === logits || usersOf(v).every((u) => members.has(u)));
    const leaks = [...members].some(
      (op) =>
        !isInner(op) ||
        (!ends.includes(op) && op !== mean && op.results.some((v) => graph.outputs.includes(v))),
    );
    const waits = linears.some((op) => present(op).some((v) => comesFrom(v, members, producers)));
    const outer = mean?.operands[1];
    if (leaks || waits || (outer !== undefined && comesFrom(outer, members, producers))) continue;
    heads.push({ anchor: mean ?? argmax!, members });
  }
  return heads;
}

function isAlongLast(op: Op): boolean {
  return op.attributes.axis === op.operands[0]!.type.shape.length - 1;
}

/** softmax(logits) E, when that is all the probabilities are for. */
function meanOf(softmax: Op, graph: Graph, usersOf: (value: Value) => readonly Op[]): Op | undefined {
  const [probabilities] = softmax.results;
  const [only, ...more] = usersOf(probabilities!);
  const isMean =
    only?.name === "matmul" &&
    only.operands[0] === probabilities &&
    only.operands[1]!.type.shape.length === 2 &&
    only.attributes.transpose_b !== true;
  return isMean && more.length === 0 && !graph.outputs.includes(probabilities!) ? only : undefined;
}

/**
 * The linear layers that logits are elementwise functions of, the ops between put into `members`; undefined when
 * something else of the logits' size comes in between. Smaller values are read where the logits are made.
 */
function scoresOf(
  value: Value,
  logits: Value,
  producers: ReadonlyMap<Value, Op>,
  roleOf: (op: Op) => string,
  members: Set<Op>,
): readonly Op[] | undefined {
  const op = producers.get(value);
  const isWide =
    value.type.shape.length === logits.type.shape.length &&
    value.type.shape.every((d, i) => d.equals(logits.type.shape[i]!));
  if (op === undefined || !isWide) return [];
  if (op.name === "linear") {
    members.add(op);
    return [op];
  }
  if (roleOf(op) !== "elementwise") return undefined;
  members.add(op);
  const found: Op[] = [];
  for (const operand of new Set(present(op))) {
    const linears = scoresOf(operand, logits, producers, roleOf, members);
    if (linears === undefined) return undefined;
    for (const linear of linears) if (!found.includes(linear)) found.push(linear);
  }
  return found;
}

/** Whether computing `value` needs one of the members. */
function comesFrom(value: Value, members: ReadonlySet<Op>, producers: ReadonlyMap<Value, Op>): boolean {
  const seen = new Set<Value>();
  const stack = [value];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const op = producers.get(next);
    if (op === undefined || seen.has(next)) continue;
    if (members.has(op)) return true;
    seen.add(next);
    stack.push(...present(op));
  }
  return false;
}
