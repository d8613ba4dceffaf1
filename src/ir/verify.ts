// The rules every module obeys between passes. A broken rule is a labelled problem at an op, so a report can
// print the graph with the culprit marked. Rules of single ops live in their definitions; these are the rest.
//
//   module_c1  graph names are unique            module_c2  an operand is defined before its use
//   module_c3  a result has the type its rule    module_c4  a name is a known op with the right operands
//   module_c5  every extent is at least 1        module_c6  calls do not recurse
//   module_c7  outputs are defined and named once

import { type Attribute, type Graph, type Module, type Op, present, type Value } from "./graph.js";
import { type AttributeKind, type Check, ConstraintError, operandRecord } from "./op.js";
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
  for (const graph of module.graphs) {
    if (calls(module, graph.name, graph.name, new Set()))
      problems.push({ label: "module_c6", message: `@${graph.name} calls itself`, graph: graph.name });
  }
  return problems;
}

function verifyGraph(
  module: Module,
  graph: Graph,
  problems: Problem[],
  accepted: ReadonlySet<string> | undefined,
): void {
  const defined = new Set<Value>();
  const define = (value: Value, op?: Op): void => {
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
    for (const { label, message } of checkOp(module, op)) report(label, message);
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

/** Re-runs the type rule of one op and compares it with the recorded types. */
export function checkOp(module: Module, op: Op): { label: string; message: string }[] {
  const found: { label: string; message: string }[] = [];
  const definition = definitionOf(op.name);
  if (definition === undefined) return [{ label: "module_c4", message: `no op is named ${op.name}` }];
  const variadic = definition.operands[0]?.endsWith("*") ?? false;
  const required = definition.operands.filter((slot) => !slot.endsWith("?") && !slot.endsWith("*"));
  const missing =
    !variadic &&
    (op.operands.length > definition.operands.length ||
      required.some((slot) => op.operands[definition.operands.indexOf(slot)] === undefined));
  if (missing || (variadic && op.operands.some((v) => v === undefined)))
    return [
      {
        label: "module_c4",
        message: `${op.name} takes (${definition.operands.join(", ")}), got ${op.operands.length} operands`,
      },
    ];
  for (const [name, kind] of Object.entries(definition.attributes) as [string, AttributeKind<Attribute>][]) {
    const value = op.attributes[name];
    if (value === undefined)
      return [{ label: "module_c4", message: `${op.name} needs the attribute ${name}` }];
    if (kind.choices !== undefined && !kind.choices.includes(value as string))
      return [
        {
          label: "module_c4",
          message: `${name} must be one of ${kind.choices.join(", ")}, got ${String(value)}`,
        },
      ];
  }
  const check: Check = {
    that(condition, label, message) {
      if (!condition) found.push({ label, message });
    },
    graph: (name) => module.graphs.find((g) => g.name === name),
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

function calls(module: Module, from: string, target: string, seen: Set<string>): boolean {
  if (seen.has(from)) return false;
  seen.add(from);
  const graph = module.graphs.find((g) => g.name === from);
  return (graph?.ops ?? []).some(
    (op) =>
      op.name === "call" &&
      (op.attributes.graph === target || calls(module, op.attributes.graph as string, target, seen)),
  );
}
