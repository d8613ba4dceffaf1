// call @fused_k(x, ..) = the ops of one group (fuse/groups.ts says which belong together): every call is one
// kernel. Equal groups, as those of equal blocks, are one graph that is called several times.

import { makeOp, throwingCheck } from "../ir/build.js";
import { type Graph, type Loc, type Module, type Op, present, type Value } from "../ir/graph.js";
import { printGraph } from "../ir/print.js";
import { bug } from "../support/diagnostic.js";
import { type FuseOptions, type Group, groupsOf, roleOf } from "./fuse/groups.js";
import type { Pass } from "./pass.js";

const prefix = "fused_";

/** Fuses every graph of the module but those that are groups already. */
export function fuse(options: FuseOptions = {}): Pass {
  return {
    name: "fuse",
    summary: "gather ops that run as one kernel into graphs @fused_k",
    run(module) {
      const known = new Map<string, Graph>();
      for (const graph of module.graphs.filter(isFused)) known.set(keyOf(graph), graph);
      const graphs: Graph[] = [];
      for (const graph of module.graphs) {
        if (isFused(graph)) {
          graphs.push(graph);
          continue;
        }
        const fused = fuseGraph(module, graph, groupsOf(graph, options), known, (made) => graphs.push(made));
        graphs.push(fused);
      }
      return { ...module, graphs };
    },
  };
}

/** True for the graphs this pass makes. */
export function isFused(graph: Graph): boolean {
  return graph.name.startsWith(prefix);
}

function fuseGraph(
  module: Module,
  graph: Graph,
  groups: readonly Group[],
  known: Map<string, Graph>,
  add: (graph: Graph) => void,
): Graph {
  const producers = new Map<Value, Op>();
  for (const op of graph.ops) for (const result of op.results) producers.set(result, op);
  const groupOf = new Map<Op, Group>();
  for (const group of groups) for (const op of group.owned) groupOf.set(op, group);
  const position = new Map(graph.ops.map((op, i) => [op, i]));
  const isOutput: ReadonlySet<Value> = new Set(graph.outputs);
  const check = throwingCheck((name) => [...known.values(), ...module.graphs].find((g) => g.name === name));
  const replaced = new Map<Value, Value>();
  const ops: Op[] = [];
  const done = new Set<Op | Group>();
  const mapped = (value: Value): Value => replaced.get(value) ?? value;

  const emit = (op: Op): void => {
    const group = groupOf.get(op);
    const key = group ?? op;
    if (done.has(key)) return;
    done.add(key);
    if (group === undefined) {
      for (const value of present(op)) emitProducer(value);
      ops.push({ ...op, operands: op.operands.map((v) => v && mapped(v)) });
      return;
    }
    const made = graphOf(group);
    for (const value of made.inputs) emitProducer(value);
    const operands = made.inputs.map(mapped);
    if (made.graph.ops.length === 1) {
      const original = [...group.owned][0]!;
      ops.push({ ...original, operands: original.operands.map((v) => v && mapped(v)) });
      return;
    }
    const text = keyOf(made.graph);
    let callee = known.get(text);
    if (callee === undefined) {
      callee = { ...made.graph, name: `${prefix}${known.size}` };
      known.set(text, callee);
      add(callee);
    }
    const anchor = group.anchor ?? [...group.owned].at(-1)!;
    const loc: Loc = { pointer: anchor.loc.pointer, via: ["fuse", ...anchor.loc.via] };
    const hints = made.outputs.map((v) => v.hint);
    const call = makeOp("call", operands, { graph: callee.name }, loc, check, hints);
    ops.push(call);
    made.outputs.forEach((value, i) => {
      replaced.set(value, call.results[i]!);
    });
  };
  const emitProducer = (value: Value): void => {
    const op = producers.get(value);
    if (op !== undefined) emit(op);
  };

  /** The group as a graph, with the values of the outer graph its inputs and outputs stand for. */
  const graphOf = (group: Group): { graph: Graph; inputs: Value[]; outputs: Value[] } => {
    const members = new Set([...group.owned, ...group.inlined]);
    for (const member of [...members])
      for (const value of present(member)) {
        const op = producers.get(value);
        if (op !== undefined && roleOf(op) === "written") members.add(op);
      }
    const inner = new Map<Value, Value>();
    const inputs: Value[] = [];
    const fusedOps: Op[] = [];
    for (const op of [...members].sort((a, b) => position.get(a)! - position.get(b)!)) {
      for (const value of present(op)) {
        if (inner.has(value)) continue;
        inputs.push(value);
        inner.set(value, { type: value.type, hint: plainHint(value.hint) });
      }
      const results = op.results.map((v) => ({ type: v.type, hint: plainHint(v.hint) }));
      op.results.forEach((v, i) => {
        inner.set(v, results[i]!);
      });
      fusedOps.push({ ...op, operands: op.operands.map((v) => v && inner.get(v)!), results });
    }
    // An op that is computed again in another group reads the value there.
    const isRead = (value: Value): boolean =>
      isOutput.has(value) ||
      graph.ops.some(
        (op) =>
          present(op).includes(value) &&
          !group.owned.has(op) &&
          (!group.inlined.has(op) || groups.some((g) => g !== group && g.inlined.has(op))),
      );
    const outputs = [...group.owned].flatMap((op) => op.results).filter(isRead);
    outputs.sort((a, b) => position.get(producers.get(a)!)! - position.get(producers.get(b)!)!);
    return {
      inputs,
      outputs,
      graph: {
        name: prefix,
        inputs: inputs.map((v) => inner.get(v)!),
        ops: fusedOps,
        outputs: outputs.map((v) => inner.get(v)!),
        outputNames: unique(outputs.map((v) => plainHint(v.hint) ?? "y")),
      },
    };
  };

  for (const op of graph.ops) {
    // What every group writes into its own text is needed outside only by calls and as an output.
    const isLoose = groupOf.has(op) || isNeeded(op);
    if (isLoose) emit(op);
  }
  function isNeeded(op: Op): boolean {
    if (groups.some((g) => g.inlined.has(op))) return false;
    if (roleOf(op) !== "written") return true;
    return op.results.some(
      (v) =>
        isOutput.has(v) || graph.ops.some((user) => present(user).includes(v) && roleOf(user) === "held"),
    );
  }
  if (ops.length > graph.ops.length) bug(`fuse made @${graph.name} longer`);
  return { ...graph, ops, outputs: graph.outputs.map(mapped) };
}

/** A hint without the number of its block, so that groups of equal blocks have equal text. */
function plainHint(hint: string | undefined): string | undefined {
  return hint?.replace(/^folded\./, "").replace(/^blocks\.\d+\./, "");
}

function unique(names: readonly string[]): string[] {
  return names.map((name, i) => {
    const before = names.slice(0, i).filter((other) => other === name).length;
    return before === 0 ? name : `${name}_${before + 1}`;
  });
}

/** The text of a graph without names: what two groups have in common when one kernel computes both. */
function keyOf(graph: Graph): string {
  const renamed = new Map<Value, Value>();
  const nameless = (value: Value): Value => {
    const known = renamed.get(value) ?? { type: value.type };
    renamed.set(value, known);
    return known;
  };
  return printGraph({
    name: prefix,
    inputs: graph.inputs.map(nameless),
    ops: graph.ops.map((op) => ({
      ...op,
      operands: op.operands.map((v) => v && nameless(v)),
      results: op.results.map(nameless),
    })),
    outputs: graph.outputs.map(nameless),
    outputNames: graph.outputNames.map((_, i) => String(i)),
  });
}
