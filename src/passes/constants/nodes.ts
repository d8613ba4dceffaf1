// What depends on no input: weights, literals, and everything computed from them alone. Nodes are shared by all
// graphs of a module, because a constant that two graphs use is stored once.

import type { Dim } from "../../ir/dim.js";
import { evaluateOp } from "../../ir/evaluate.js";
import type { Attribute, Module, Op, Value, WeightSource } from "../../ir/graph.js";
import type { EvaluateContext } from "../../ir/op.js";
import { definitionOf } from "../../ir/ops/index.js";
import type { Tensor } from "../../ir/tensor.js";
import { bug } from "../../support/diagnostic.js";
import { keyOf } from "../merge-duplicates.js";

export interface ConstantNode {
  /** The first op that computes it; others are equal. */
  readonly op: Op;
  readonly operands: readonly (ConstantNode | undefined)[];
  readonly users: Set<ConstantNode>;
  /** Whether an output, or an op that is not constant, reads it. */
  isRead: boolean;
  /** Numbers it holds; for a leaf, numbers a file stores for it. */
  readonly size: number;
  readonly isLeaf: boolean;
  /** Whether a weight is among the leaves under it. */
  readonly hasWeights: boolean;
}

export interface Constants {
  /** Operands before users. */
  readonly nodes: readonly ConstantNode[];
  /** The node a value is, in whichever graph. */
  nodeOf(value: Value): ConstantNode | undefined;
}

/** The constants of all graphs but `except`. An extent that is not bound makes a value not constant. */
export function findConstants(module: Module, except?: string): Constants {
  const byKey = new Map<string, ConstantNode>();
  const byValue = new Map<Value, ConstantNode>();
  const nodes: ConstantNode[] = [];
  const indices = new Map<ConstantNode, number>();
  const number = (value: Value): number => indices.get(byValue.get(value)!)!;
  for (const graph of module.graphs) {
    if (graph.name === except) continue;
    for (const op of graph.ops) {
      const operands = op.operands.map((v) => v && byValue.get(v));
      if (!isConstant(op, operands)) {
        for (const operand of operands) if (operand !== undefined) operand.isRead = true;
        continue;
      }
      const key = keyOf(op, number);
      const node = byKey.get(key) ?? makeNode(op, operands);
      if (!byKey.has(key)) {
        byKey.set(key, node);
        indices.set(node, nodes.length);
        nodes.push(node);
        for (const operand of operands) operand?.users.add(node);
      }
      byValue.set(op.results[0]!, node);
    }
    for (const output of graph.outputs) {
      const node = byValue.get(output);
      if (node !== undefined) node.isRead = true;
    }
  }
  return { nodes, nodeOf: (value) => byValue.get(value) };
}

function isConstant(op: Op, operands: readonly (ConstantNode | undefined)[]): boolean {
  const isLeaf = definitionOf(op.name)?.fusion === "constant";
  const known = op.operands.every((v, i) => v === undefined || operands[i] !== undefined);
  const computed = op.name !== "call" && op.operands.length > 0 && known;
  const bound = [...op.results[0]!.type.shape, ...Object.values(op.attributes).flatMap(dimsOf)];
  return (
    (isLeaf || computed) && op.results.length === 1 && bound.every((extent) => extent.value !== undefined)
  );
}

function dimsOf(value: Attribute): Dim[] {
  const items: readonly Attribute[] = Array.isArray(value)
    ? (value as readonly Attribute[])
    : [value as Attribute];
  return items.filter((item): item is Dim => typeof item === "object" && !Array.isArray(item));
}

function makeNode(op: Op, operands: readonly (ConstantNode | undefined)[]): ConstantNode {
  // The matrices of a transform are worth storing by themselves: no target makes them.
  const isLeaf = definitionOf(op.name)!.fusion === "constant" && op.name !== "dft_matrix";
  const size = op.results[0]!.type.shape.reduce((n, extent) => n * extent.value!, 1);
  return {
    op,
    operands,
    users: new Set(),
    isRead: false,
    size: op.name === "constant" ? 1 : size,
    isLeaf,
    hasWeights: op.name === "weight" || operands.some((operand) => operand?.hasWeights),
  };
}

/** The node and everything under it that nothing else reads. */
export function onlyUnder(node: ConstantNode): Set<ConstantNode> {
  const under = new Set([node]);
  // The last of an operand's users may join late: look again until nothing joins.
  for (let before = -1; before !== under.size; ) {
    before = under.size;
    for (const member of under)
      for (const operand of member.operands)
        if (operand !== undefined && !operand.isRead && [...operand.users].every((user) => under.has(user)))
          under.add(operand);
  }
  return under;
}

/** The value of a node, in float64, straight from the op definitions. */
export function evaluateNode(node: ConstantNode, weights: WeightSource): Tensor {
  const known = new Map<ConstantNode, Tensor>();
  const none = new Map<string, number>();
  const context: EvaluateContext = {
    size: (extent) => extent.evaluate(none),
    shape: (extents) => extents.map((extent) => extent.evaluate(none)),
    weight: (name) => weights.read(name),
    call: (name) => bug(`@${name} is not a constant`),
  };
  const value = (of: ConstantNode): Tensor => {
    const found =
      known.get(of) ??
      evaluateOp(
        of.op,
        of.operands.map((operand) => operand && value(operand)),
        context,
      )[0]!;
    known.set(of, found);
    return found;
  };
  return value(node);
}
