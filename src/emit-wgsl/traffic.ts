// Bytes that a fused graph moves in one run, against the least it could.
//
//   planned    every kernel's footprint: what it reads of each buffer once, what it writes, scratch included
//   minimum    ops that mix positions or channels (contractions: products, convolutions, attention) read what they
//              need and write what they make once, weights included; norms, reductions and elementwise work cost
//              nothing, since they could run where their results are read
//
// So a fused FFT convolution is at 1.0, and a norm between two products is what a step pays above the minimum.

import { findGraph, type Graph, type Module, type Op, present, type Value } from "../ir/graph.js";
import { definitionOf } from "../ir/ops/index.js";
import { isPart } from "../ir/part.js";
import { count } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import { storedBytes } from "./buffers.js";
import { shaped } from "./element.js";
import { groupOfOp, lowerGroup } from "./group.js";
import type { Kernel } from "./kernel.js";
import type { Environment } from "./limits.js";

/** One op or group of the graph. */
export interface TrafficRow {
  /** Kernel names, one per dispatch. */
  readonly kernels: readonly string[];
  readonly pointer: string;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Least bytes; 0 for work that could run inside of others. */
  readonly minimum: number;
}

export interface Traffic {
  readonly rows: readonly TrafficRow[];
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly minimum: number;
  /** Planned over minimum. */
  readonly ratio: number;
}

/** The traffic of one graph. Its dims must be bound, and every op have a kernel. */
export function trafficOf(module: Module, graphName: string, environment: Environment): Traffic {
  const graph = findGraph(module, graphName) ?? bug(`no graph @${graphName}`);
  const producers = new Map<Value, Op>();
  for (const op of graph.ops) for (const result of op.results) producers.set(result, op);
  const groupOf = (op: Op): Graph =>
    op.name === "call" ? findGraph(module, op.attributes.graph as string)! : groupOfOp(op);
  const rows = graph.ops.filter(isDispatched).map((op): TrafficRow => {
    const group = groupOf(op);
    const { kernels } = lowerGroup(group, environment);
    return {
      kernels: kernels.map((kernel) => kernel.name),
      pointer: op.loc.pointer,
      bytesRead: kernels.reduce((sum, kernel) => sum + kernel.bytesRead - unread(group, kernel), 0),
      bytesWritten: kernels.reduce((sum, kernel) => sum + kernel.bytesWritten, 0),
      minimum: isContraction(group) ? leastBytes(op, graph, producers, groupOf) : 0,
    };
  });
  const total = (of: (row: TrafficRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0);
  const [bytesRead, bytesWritten, minimum] = [
    total((row) => row.bytesRead),
    total((row) => row.bytesWritten),
    total((row) => row.minimum),
  ];
  return { rows, bytesRead, bytesWritten, minimum, ratio: (bytesRead + bytesWritten) / minimum };
}

/** Ops that make no dispatch: constants, and other names of the same bytes. */
function isDispatched(op: Op): boolean {
  return (op.operands.length > 0 || op.name === "call") && op.name !== "reshape" && !isPart(op);
}

function isContraction(group: Graph): boolean {
  return group.ops.some((op) => definitionOf(op.name)!.fusion === "opaque" && op.name !== "call");
}

/** Bytes of a kernel's bindings that its group takes only slices or rows of. */
function unread(group: Graph, { bindings }: Kernel): number {
  return bindings.reduce((sum, { role, access }) => {
    if (role.kind !== "operand" || access !== "read") return sum;
    const input = group.inputs[role.index]!;
    return sum + bytesOf(input) - touched(group, input);
  }, 0);
}

/** Bytes of an input that a group needs: all, or its slices, or the rows that it looks up. */
function touched(group: Graph, input: Value): number {
  const users = group.ops.filter((op) => present(op).includes(input));
  const isPartial = (op: Op): boolean =>
    op.operands[0] === input && (op.name === "slice" || (op.name === "take" && op.operands[1] !== input));
  if (users.length === 0 || !users.every(isPartial)) return bytesOf(input);
  return Math.min(
    bytesOf(input),
    users.reduce((sum, op) => sum + bytesOf(op.results[0]!), 0),
  );
}

/** What a contraction reads, down to values that are in memory whatever is fused, and what it writes. */
function leastBytes(
  op: Op,
  graph: Graph,
  producers: ReadonlyMap<Value, Op>,
  groupOf: (op: Op) => Graph,
): number {
  const read = new Map<Value, number>();
  const seen = new Set<Op>();
  const visit = (reader: Op): void => {
    if (seen.has(reader)) return;
    seen.add(reader);
    const group = groupOf(reader);
    const operands = reader.name === "call" ? present(reader) : group.inputs;
    operands.forEach((value, i) => {
      const maker = producers.get(value);
      const isFree =
        maker !== undefined &&
        maker.operands.length > 0 &&
        !graph.outputs.includes(value) &&
        !isContraction(groupOf(maker));
      if (isFree && !isPart(maker)) visit(maker);
      else
        read.set(value, Math.min(bytesOf(value), (read.get(value) ?? 0) + touched(group, group.inputs[i]!)));
    });
  };
  visit(op);
  const written = op.results.reduce((sum, value) => sum + bytesOf(value), 0);
  return [...read.values()].reduce((sum, bytes) => sum + bytes, written);
}

function bytesOf(value: Value): number {
  const { element, shape } = shaped(value);
  return count(shape) * storedBytes(element);
}
