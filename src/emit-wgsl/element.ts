// One element of a value: ops whose result is a formula of operand elements, as a table of rules. A group's ops
// around its anchor, groups without an anchor, views and gathers are all read this way.

import type { Graph, Op, Value } from "../ir/graph.js";
import { operandName } from "../ir/op.js";
import { definitionOf } from "../ir/ops/index.js";
import { count } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import type { ElementContext } from "./element-rule.js";
import { elementRules } from "./elements/index.js";
import { inputName } from "./formula.js";
import type { BufferRole, Shaped, Source } from "./kernel.js";
import { registerType } from "./literals.js";
import { lanePlace, type Place, projected } from "./place.js";
import type { KernelWriter } from "./writer.js";

type AnyRule = (
  operands: Record<string, unknown>,
  attributes: Op["attributes"],
  context: ElementContext,
) => string;
const rules = elementRules.rules as unknown as Readonly<Record<string, AnyRule | undefined>>;

/** True when one element of the op's result is a formula (the op may stand around an anchor). */
export function isElementOp(name: string): boolean {
  return Object.hasOwn(rules, name);
}

/** A type with its extents as numbers. */
export function shaped(value: Value): Shaped {
  return {
    element: value.type.element,
    shape: value.type.shape.map(
      (extent) => extent.value ?? bug(`extent ${extent} has no value: dims are bound before emission`),
    ),
  };
}

/** Reads values of one graph in one kernel. */
export interface Reader {
  source(value: Value): Source;
  /** Makes `value` stand for a register at every place (the anchor's result while it is stored). */
  assume(value: Value, register: string | undefined): void;
}

/** A reader of `graph` into `writer`; inputs are the operands of the group, in order. */
export function reader(graph: Graph, writer: KernelWriter): Reader {
  const producers = new Map<Value, Op>();
  for (const op of graph.ops) for (const result of op.results) producers.set(result, op);
  const assumed = new Map<Value, string>();
  const source = (value: Value): Source => {
    const { element, shape } = shaped(value);
    const op = producers.get(value);
    const load = (at: Place): string => {
      const place = projected(at, shape);
      const register = assumed.get(value);
      const read = register ?? (op === undefined ? readBuffer(value, place) : readOp(op, value, place));
      return at.lanes === 4 && place.lanes === 1 && register === undefined
        ? writer.bind(`${registerType(element, 4)}(${read})`, value.hint ?? "t")
        : read;
    };
    return { element, shape, plain: isPlain(op), load };
  };
  /** Widening what is stored narrow is part of the load. */
  const isPlain = (op: Op | undefined): boolean =>
    op === undefined || (op.name === "cast" && !producers.has(op.operands[0]!));
  const carriesAnchor = (value: Value): boolean =>
    assumed.has(value) ||
    (producers.get(value)?.operands.some((v) => v !== undefined && carriesAnchor(v)) ?? false);
  const readBuffer = (value: Value, place: Place): string => {
    const { element, shape } = shaped(value);
    const index = graph.inputs.indexOf(value);
    if (index < 0) bug(`${value.hint ?? "a value"} is read in @${graph.name} but made by its anchor`);
    const role: BufferRole = { kind: "operand", index };
    const hint = inputName(graph, value);
    writer.buffer(role, hint, element, count(shape), "read", writer.lanes, `[${shape.join(", ")}]`);
    if (place.lanes === 1) return writer.bind(writer.at(role, place.flat()), `${hint}_at`);
    if (writer.isVector(role) && shape[shape.length - 1]! % 4 === 0)
      return writer.bind(writer.at4(role, place.flat()), `${hint}_at`);
    const lanes = [0, 1, 2, 3].map((j) => writer.at(role, lanePlace(place, j).flat()));
    return writer.bind(`${registerType(element, 4)}(${lanes.join(", ")})`, `${hint}_at`);
  };
  const readOp = (op: Op, value: Value, place: Place): string => {
    const rule = rules[op.name];
    if (rule === undefined) bug(`${op.name} is not an elementwise op of @${graph.name}`);
    // A view of the anchor's own four numbers is those four numbers: the sink has moved the place already.
    const moved = carriesAnchor(value) && definitionOf(op.name)!.fusion === "view";
    const together = moved || elementRules.lanewise.has(op.name) || elementRules.keepsNeighbours(op);
    if (place.lanes === 4 && !together) {
      const lanes = [0, 1, 2, 3].map((j) => readOp(op, value, lanePlace(place, j)));
      return writer.bind(
        `${registerType(value.type.element, 4)}(${lanes.join(", ")})`,
        value.hint ?? op.name,
      );
    }
    const names = definitionOf(op.name)!.operands;
    const operands: Record<string, unknown> = names[0]?.endsWith("*")
      ? { [operandName(names[0])]: op.operands.map((v) => source(v!)) }
      : Object.fromEntries(
          names.map((slot, k) => [operandName(slot), op.operands[k] && source(op.operands[k])]),
        );
    const number = (v: number): string => elementRules.literal(v, value.type.element, place.lanes);
    const hint = value.hint ?? op.name;
    const text = rule(operands, op.attributes, { writer, place, result: shaped(value), number, hint });
    return writer.bind(text, hint);
  };
  return {
    source,
    assume: (value, register) => {
      if (register === undefined) assumed.delete(value);
      else assumed.set(value, register);
    },
  };
}
