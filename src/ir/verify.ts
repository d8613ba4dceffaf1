// The rules every module obeys between passes. A broken rule is a labelled problem at an op, so a report can
// print the graph with the culprit marked. Rules of single ops live in their definitions; these are the rest.
//
//   module_c1  graph names are unique            module_c2  an operand is defined before its use
//   module_c3  a result has the type its rule    module_c4  a name is a known op with the right operands
//   module_c5  every extent is at least 1        module_c6  a value is defined once
//   module_c7  outputs are defined and named once
//
// A call may name only an earlier graph (call_c1), so calls never recurse and every module can be read back.

import { type Graph, type Module, type Op, present, type Value } from "./graph.js";
import { type Check, ConstraintError, operandRecord, signatureProblem } from "./op.js";
import { definitionOf } from "./ops/index.js";
import { sameType, typeText } from "./type.js";

export interface Problem {
  readonly label: string;
  readonly message: string;
  readonly graph: string;
  readonly op?: Op;
}

/** Every broken rule; empty for a good module. `accepted` narrows the ops a target takes. */
export function verify(module: Module, accepted?: ReadonlySet<string>): Problem[] {
  const problems: Problem[] = [];
  const names = new Set<string>();
  for (const graph of module.graphs) {
    if (names.has(graph.name))
      problems.push({
        label: "module_c1",
        message: `two graphs are named @${graph.name}`,
        graph: graph.name,
      });
    names.add(graph.name);
    verifyGraph(module, graph, problems, accepted);
  }
  return problems;
}

function verifyGraph(
  module: Module,
  graph: Graph,
  problems: Problem[],
  accepted: ReadonlySet<string> | undefined,
): void {
  const earlier = module.graphs.slice(0, module.graphs.indexOf(graph));
  const defined = new Set<Value>();
  const define = (value: Value, op?: Op): void => {
    if (defined.has(value))
      problems.push({
        label: "module_c6",
        message: `${value.hint ?? typeText(value.type)} is defined twice`,
        graph: graph.name,
        ...(op && { op }),
      });
    defined.add(value);
    for (const extent of value.type.shape) {
      if (!(extent.min >= 1))
        problems.push({
          label: "module_c5",
          message: `extent ${extent} of ${typeText(value.type)} may be ${extent.min}`,
          graph: graph.name,
          ...(op && { op }),
        });
    }
  };
  for (const input of graph.inputs) define(input);
  for (const op of graph.ops) {
    const report = (label: string, message: string): void => {
      problems.push({ label, message, graph: graph.name, op });
    };
    if (accepted !== undefined && !accepted.has(op.name))
      report("target_c1", `the target takes no ${op.name}`);
    for (const operand of present(op))
      if (!defined.has(operand))
        report("module_c2", `operand ${operand.hint ?? typeText(operand.type)} is used before it is defined`);
    for (const { label, message } of checkOp(op, (name) => earlier.find((g) => g.name === name)))
      report(label, message);
    for (const result of op.results) define(result, op);
  }
  const unique = new Set(graph.outputNames);
  const named = graph.outputNames.length === graph.outputs.length && unique.size === graph.outputs.length;
  if (!named || graph.outputs.some((v) => !defined.has(v)))
    problems.push({
      label: "module_c7",
      message: `outputs (${graph.outputNames.join(", ")}) must be defined and have one name each`,
      graph: graph.name,
    });
}

/** Re-runs the type rule of one op and compares it with the recorded types; `graphs` finds those it may call. */
export function checkOp(op: Op, graphs: Check["graph"]): { label: string; message: string }[] {
  const found: { label: string; message: string }[] = [];
  const definition = definitionOf(op.name);
  if (definition === undefined) return [{ label: "module_c4", message: `no op is named ${op.name}` }];
  const misfit = signatureProblem(definition, op.operands, op.attributes);
  if (misfit !== undefined) return [{ label: "module_c4", message: misfit }];
  const check: Check = {
    that(condition, label, message) {
      if (!condition) found.push({ label, message });
    },
    graph: graphs,
  };
  try {
    const types = operandRecord(
      definition.operands,
      op.operands.map((v) => v?.type),
    );
    const expected = definition.type(types as never, op.attributes as never, check);
    const agree =
      expected.length === op.results.length && expected.every((t, i) => sameType(t, op.results[i]!.type));
    if (found.length === 0 && !agree)
      found.push({
        label: "module_c3",
        message: `the rule of ${op.name} gives ${expected.map(typeText).join(", ")}, recorded is ${op.results.map((v) => typeText(v.type)).join(", ")}`,
      });
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    found.push({ label: error.label, message: error.message });
  }
  return found;
}
