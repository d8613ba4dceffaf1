// A module as text: what people read, tests compare and `dlmc opt` reads back. print(parse(text)) is text.

import { Dim } from "./dim.js";
import type { Attribute, Graph, Module, Op, Value } from "./graph.js";
import { type AttributeKind, sameAttribute } from "./op.js";
import { definitionOf } from "./ops/index.js";
import { typeText } from "./type.js";

export interface PrintOptions {
  /** Adds `; /blocks/0/mixer < pad-fft` at line ends. Parsing ignores it. */
  readonly locations?: boolean;
  /** Adds lines under an op, e.g. problems found by verify. */
  readonly annotate?: (op: Op) => readonly string[];
}

export function printModule(module: Module, options: PrintOptions = {}): string {
  const header = [...module.dims]
    .map(([name, extent]) => `dim ${name} ${dimHeader(name, extent)}\n`)
    .join("");
  return `${header}${header === "" ? "" : "\n"}${module.graphs.map((g) => printGraph(g, options)).join("\n")}`;
}

function dimHeader(name: string, extent: Dim): string {
  if (extent.key !== name) return `= ${extent.key}`;
  return extent.max === Number.POSITIVE_INFINITY ? `>= ${extent.min}` : `in ${extent.min}..${extent.max}`;
}

export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  const names = nameValues(graph);
  const inputs = graph.inputs.map((v) => `${names.get(v)}: ${typeText(v.type)}`).join(", ");
  const lines = graph.ops.flatMap((op) => {
    const place = options.locations ? ` ; ${[op.loc.pointer || "/", ...op.loc.via].join(" < ")}` : "";
    return [
      `  ${printOp(op, names)}${place}`,
      ...(options.annotate?.(op) ?? []).map((line) => `  ; ${line}`),
    ];
  });
  const outputs = graph.outputs
    .map((v, i) => `${graph.outputNames[i]} = ${names.get(v) ?? "%undefined"}`)
    .join(", ");
  return `graph @${graph.name}(${inputs}) {\n${lines.join("\n")}${lines.length > 0 ? "\n" : ""}  return ${outputs}\n}\n`;
}

export function printOp(op: Op, names: ReadonlyMap<Value, string>): string {
  const results = op.results.map((v) => names.get(v)).join(", ");
  const operands = op.operands.map((v) => (v === undefined ? "_" : (names.get(v) ?? "%undefined")));
  while (operands[operands.length - 1] === "_") operands.pop();
  const kinds = (definitionOf(op.name)?.attributes ?? {}) as Record<string, AttributeKind<Attribute>>;
  const attributes = Object.entries(kinds)
    .filter(
      ([name, kind]) => kind.default === undefined || !sameAttribute(kind.default, op.attributes[name]!),
    )
    .map(([name, kind]) => `${name} = ${printAttribute(kind, op.attributes[name]!)}`);
  const parts = [
    op.name,
    operands.join(", "),
    attributes.length > 0 ? `{${attributes.join(", ")}}` : "",
  ].filter((part) => part !== "");
  return `${results}${results === "" ? "" : " = "}${parts.join(" ")} : ${op.results.map((v) => typeText(v.type)).join(", ")}`;
}

function printAttribute(kind: AttributeKind<Attribute>, value: Attribute): string {
  if (Array.isArray(value))
    return `[${(value as readonly Attribute[]).map((v) => printScalar(v)).join(", ")}]`;
  return kind.kind === "string" && kind.choices === undefined ? JSON.stringify(value) : printScalar(value);
}

function printScalar(value: Attribute): string {
  if (value instanceof Dim) return value.toString();
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Unique readable names: the hint, with a number where it is taken; plain numbers without a hint. */
export function nameValues(graph: Graph): Map<Value, string> {
  const names = new Map<Value, string>();
  const taken = new Set<string>();
  let next = 0;
  const name = (value: Value): void => {
    if (names.has(value)) return;
    const hint = value.hint?.replace(/[^A-Za-z0-9_.]/g, "_");
    let candidate = hint !== undefined && !/^\d*$/.test(hint) ? hint : String(next++);
    for (let n = 1; taken.has(candidate); n++)
      candidate = hint === undefined || /^\d*$/.test(hint) ? String(next++) : `${hint}.${n}`;
    taken.add(candidate);
    names.set(value, `%${candidate}`);
  };
  for (const input of graph.inputs) name(input);
  for (const op of graph.ops) for (const result of op.results) name(result);
  return names;
}
