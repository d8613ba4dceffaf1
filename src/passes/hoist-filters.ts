// What depends only on weights and the length is the same in every step: implicit filters, spectra, normalised tables.
// fold: computed when the model is built, whatever its size.
// load: moved to @filters() -> filters.*, run once when the model is loaded; graphs that use a result take it as a
// trailing input of that name. With inPlace it stays where it is, for runtimes that evaluate constants themselves
// when a session is made (ONNX Runtime does).

import { Builder } from "../ir/build.js";
import { evaluate } from "../ir/evaluate.js";
import { findGraph, type Graph, type Module, type Op, type Value } from "../ir/graph.js";
import { definitionOf } from "../ir/ops/index.js";
import { withOperands } from "../ir/rewrite.js";
import type { Tensor } from "../ir/tensor.js";
import { foldModule, freeName, pick, readableName } from "./constants/fold.js";
import { type ConstantNode, type Constants, findConstants } from "./constants/nodes.js";
import type { Pass } from "./pass.js";
import { withoutDeadOps } from "./remove-dead.js";

export interface HoistFiltersOptions {
  readonly spectra: "fold" | "load";
  /** With `load`: leave the computation in each graph. */
  readonly inPlace?: boolean;
}

const graphName = "filters";

export function hoistFilters({ spectra, inPlace = false }: HoistFiltersOptions): Pass {
  return {
    name: "hoist-filters",
    summary: "compute what depends only on weights once: when building (fold) or when loading (load)",
    run(module) {
      if (spectra === "fold") return foldModule(module, "hoist-filters", isFilter);
      return inPlace ? module : moved(module);
    },
    relateInputs(_, given, result) {
      const filters = findGraph(result, graphName);
      const values: readonly Tensor[] = filters === undefined ? [] : evaluate(result, graphName, []);
      const named = values.map((value, i) => [filters!.outputNames[i]!, value] as const);
      return { before: given, after: new Map([...given, ...named]) };
    },
  };
}

const isView = (node: ConstantNode): boolean => definitionOf(node.op.name)!.fusion === "view";

/** What a view moves: the constants under it that are not views themselves. */
function sources(node: ConstantNode): Set<ConstantNode> {
  const under = new Set([node]);
  for (const member of under)
    if (isView(member)) for (const operand of member.operands) if (operand !== undefined) under.add(operand);
  return new Set([...under].filter((member) => !isView(member)));
}

/** Whatever is computed from weights, but for views that repeat them: those cost nothing to make again. */
function isFilter(node: ConstantNode): boolean {
  const moved = [...sources(node)].reduce((sum, source) => sum + source.size, 0);
  const { fusion } = definitionOf(node.op.name)!;
  const isWork = fusion === "opaque" || fusion === "gather";
  return (node.hasWeights || isWork) && (!isView(node) || node.size <= moved);
}

function moved(module: Module): Module {
  const constants = findConstants(module, graphName);
  // A view of a weight is stored as it is; only work is worth a graph of its own, in the order it is read in.
  const isWork = (node: ConstantNode): boolean =>
    isFilter(node) &&
    (!isView(node) || (node.op.name === "transpose" && [...sources(node)].some((source) => !source.isLeaf)));
  const picked = pick(constants, isWork);
  if (picked.size === 0) return module;
  const names = new Map<ConstantNode, string>();
  for (const node of constants.nodes) {
    if (!picked.has(node)) continue;
    const known = new Set(names.values());
    names.set(
      node,
      freeName(`filters.${readableName(node)}`, (name) => known.has(name)),
    );
  }
  const rebuilt: Graph[] = [];
  for (const graph of module.graphs) rebuilt.push(withFilterInputs(graph, rebuilt, constants, names));
  return withoutDeadOps({ ...module, graphs: [filtersGraph(names), ...rebuilt] });
}

/** The graph with a trailing input for every picked constant it, or a graph it calls, reads. */
function withFilterInputs(
  graph: Graph,
  earlier: readonly Graph[],
  constants: Constants,
  names: ReadonlyMap<ConstantNode, string>,
): Graph {
  const inputs = new Map<string, Value>();
  const input = (name: string, like: Value): Value => {
    const value = inputs.get(name) ?? { type: like.type, hint: name };
    inputs.set(name, value);
    return value;
  };
  const replaced = new Map<Value, Value>();
  const ops = graph.ops.map((original): Op => {
    const op = withOperands(original, replaced);
    const [result] = op.results;
    const node = result && constants.nodeOf(result);
    const name = node && names.get(node);
    if (name !== undefined) replaced.set(result!, input(name, result!));
    if (op.name !== "call") return op;
    const callee = earlier.find((g) => g.name === op.attributes.graph)!;
    const added = callee.inputs.slice(op.operands.length);
    return { ...op, operands: [...op.operands, ...added.map((v) => input(v.hint!, v))] };
  });
  const outputs = graph.outputs.map((v) => replaced.get(v) ?? v);
  return { ...graph, inputs: [...graph.inputs, ...inputs.values()], ops, outputs };
}

/** @filters() -> (filters.*): the picked constants and everything under them, each computed once. */
function filtersGraph(names: ReadonlyMap<ConstantNode, string>): Graph {
  const b = new Builder(graphName);
  const values = new Map<ConstantNode, Value>();
  const value = (node: ConstantNode): Value => {
    const known = values.get(node);
    if (known !== undefined) return known;
    const { op } = node;
    const operands = node.operands.map((operand) => operand && value(operand));
    const hints = op.results.map((v) => v.hint);
    const loc = { ...op.loc, via: ["hoist-filters", ...op.loc.via] };
    const made = b.emitList(op.name, operands, op.attributes, hints, loc)[0]!;
    values.set(node, made);
    return made;
  };
  return b.finish(Object.fromEntries([...names].map(([node, name]) => [name, value(node)])));
}
