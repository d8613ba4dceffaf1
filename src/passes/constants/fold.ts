// Puts `weight`, `literal` or `constant` ops in the place of constants that a policy picks. Values are computed in
// float64 and rounded once, when they are written.

import { dim } from "../../ir/dim.js";
import type { Module, Op } from "../../ir/graph.js";
import { type Rewriter, rewriteModule } from "../../ir/rewrite.js";
import type { Tensor } from "../../ir/tensor.js";
import { withoutDeadOps } from "../remove-dead.js";
import { withComputedWeights } from "./computed-weights.js";
import { type ConstantNode, type Constants, evaluateNode, findConstants, onlyUnder } from "./nodes.js";

/** Results up to this many numbers are written into the graph. */
const literalSize = 16;

/** Whether to replace a constant that something reads; `freed` numbers need no storage afterwards. */
export type FoldPolicy = (node: ConstantNode, freed: number) => boolean;

/** The constants to replace: asked from the outputs inwards, so that the largest possible part is one constant. */
export function pick({ nodes }: Constants, policy: FoldPolicy): Set<ConstantNode> {
  const picked = new Set<ConstantNode>();
  const read = new Set(nodes.filter((node) => node.isRead));
  for (const node of nodes.toReversed()) {
    if (!read.has(node) || node.isLeaf) continue;
    if (policy(node, freedBy(node))) picked.add(node);
    else for (const operand of node.operands) if (operand !== undefined) read.add(operand);
  }
  return picked;
}

function freedBy(node: ConstantNode): number {
  let freed = 0;
  for (const member of onlyUnder(node)) if (member.isLeaf) freed += member.size;
  return freed;
}

/** A readable name: what the weights under the node have in common, then what it is. */
export function readableName(node: ConstantNode): string {
  const what = node.op.results[0]!.hint ?? node.op.name;
  const weights = [...new Set(leavesUnder(node).map((name) => name.replace(/^folded\./, "")))];
  const [first] = weights;
  if (first === undefined) return what;
  const parts = first.split(".");
  const shared = parts.findIndex((part, i) => weights.some((name) => name.split(".")[i] !== part));
  const source = shared < 1 ? first : parts.slice(0, shared).join(".");
  return what === source || what.startsWith(`${source}.`) ? what : `${source}.${what}`;
}

/** The weights of the module under a node. */
function leavesUnder(node: ConstantNode, seen = new Set<ConstantNode>()): string[] {
  if (seen.has(node)) return [];
  seen.add(node);
  const own = node.op.name === "weight" ? [node.op.attributes.name as string] : [];
  return [...own, ...node.operands.flatMap((operand) => (operand ? leavesUnder(operand, seen) : []))];
}

/** `wanted`, or `wanted.2`, `wanted.3` .. where it is taken. */
export function freeName(wanted: string, taken: (name: string) => boolean): string {
  let name = wanted;
  for (let n = 2; taken(name); n++) name = `${wanted}.${n}`;
  return name;
}

/** Replaces picked constants until none is left; `pass` is noted in every new op's place. */
export function foldModule(module: Module, pass: string, policy: FoldPolicy): Module {
  for (let current = module; ; ) {
    const next = foldOnce(current, pass, policy);
    if (next === current) return current;
    current = next;
  }
}

function foldOnce(module: Module, pass: string, policy: FoldPolicy): Module {
  const constants = findConstants(module);
  const picked = pick(
    constants,
    (node, freed) => node.op.results[0]!.type.element !== "c64" && policy(node, freed),
  );
  if (picked.size === 0) return module;
  const computed = new Map<string, () => Tensor>();
  const formulas = new Set<string>();
  const names = new Map<ConstantNode, string>();
  const { weights } = module;
  const nameOf = (node: ConstantNode): string => {
    const name =
      names.get(node) ?? freeName(`folded.${readableName(node)}`, (n) => computed.has(n) || weights.has(n));
    names.set(node, name);
    computed.set(name, () => evaluateNode(node, weights));
    if (leavesUnder(node).every((leaf) => weights.isFormula?.(leaf) === true)) formulas.add(name);
    return name;
  };
  const replace = (op: Op, rewriter: Rewriter) => {
    const node = constants.nodeOf(op.results[0]!);
    if (node === undefined || !picked.has(node)) return undefined;
    const { shape } = op.results[0]!.type;
    const element = op.results[0]!.type.element as "f32" | "f16" | "i32" | "bool";
    if (shape.reduce((n, extent) => n * extent.value!, 1) > literalSize)
      return [rewriter.emit("weight", {}, { name: nameOf(node), shape, element })];
    const { data } = evaluateNode(node, weights);
    return data.every((v) => Object.is(v, data[0]))
      ? [rewriter.emit("constant", {}, { value: data[0]!, shape, element })]
      : [
          rewriter.emit(
            "literal",
            {},
            { values: [...data], shape: shape.map((n) => dim(n.value!)), element },
          ),
        ];
  };
  const rewritten = rewriteModule(module, pass, [replace]);
  return withoutDeadOps({ ...rewritten, weights: withComputedWeights(weights, computed, formulas) });
}
