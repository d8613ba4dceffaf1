// The table of @time: which values of @step become columns, and the graph that computes a row of them for each level.

import { makeOp, throwingCheck } from "../../ir/build.js";
import { Dim } from "../../ir/dim.js";
import type { Attributes, Graph, Module, Op, Value } from "../../ir/graph.js";
import { definitionOf } from "../../ir/ops/index.js";
import { type } from "../../ir/type.js";
import { type Constants, findConstants } from "../constants/nodes.js";
import { rowValues } from "./row-wise.js";

export interface TimeTable {
  /** The input of @step that goes. */
  readonly level: Value;
  /** Values of @step, f32[1 or B, ..], each `width` numbers from column `start`. */
  readonly columns: readonly { readonly value: Value; readonly start: number; readonly width: number }[];
  readonly width: number;
  /** @time(level f32[T]) -> time f32[T, width] */
  readonly graph: Graph;
}

const via = "hoist-time";

/**
 * The table for @step; undefined when it takes no `level` or nothing is computed from it. Levels of single positions stay:
 * a row of all positions' features for every step would be as large as the activations of all steps.
 */
export function tableColumns(module: Module, step: Graph): TimeTable | undefined {
  const level = step.inputs.find((v) => v.hint === "level");
  if (level === undefined || level.type.shape.length !== 1) return undefined;
  const constants = findConstants(module);
  const rows = rowValues(step.ops, level, constants);
  const read = columnValues(step, rows);
  if (read.length === 0 || (read.length === 1 && read[0] === level)) return undefined;
  let width = 0;
  const columns = read.map((value) => {
    const own = value.type.shape.slice(1).reduce((n, extent) => n * extent.value!, 1);
    width += own;
    return { value, start: width - own, width: own };
  });
  return { level, columns, width, graph: timeGraph(module, step, level, rows, constants, read) };
}

/**
 * Rows that something else reads, in order. What only reshapes or repeats a row, or is not f32, is made in @step from
 * the row under it; slices are columns, so that the table holds only what is read.
 */
function columnValues(step: Graph, rows: ReadonlySet<Value>): Value[] {
  const read = new Set<Value>(step.outputs.filter((v) => rows.has(v)));
  const columns = new Set<Value>();
  for (const op of step.ops.toReversed()) {
    const [result] = op.results;
    const isRow = result !== undefined && rows.has(result);
    if (isRow && !read.has(result)) continue;
    const isColumn = op.name === "slice" || definitionOf(op.name)!.fusion !== "view";
    if (isRow && isColumn && result.type.element === "f32") {
      columns.add(result);
      continue;
    }
    for (const v of op.operands) if (v !== undefined && rows.has(v)) read.add(v);
  }
  const level = step.inputs.find((v) => rows.has(v))!;
  return [...(read.has(level) ? [level] : []), ...[...columns].reverse()];
}

/** The rows' ops with the leading extent T, their columns side by side. */
function timeGraph(
  module: Module,
  step: Graph,
  level: Value,
  rows: ReadonlySet<Value>,
  constants: Constants,
  columns: readonly Value[],
): Graph {
  const T = module.dims.get("T") ?? Dim.symbol("T");
  const input: Value = { type: type("f32", [T]), hint: "level" };
  const values = new Map<Value, Value>([[level, input]]);
  const check = throwingCheck(() => undefined);
  const ops: Op[] = [];
  const emit = (
    name: string,
    operands: Op["operands"],
    attributes: Attributes,
    like: Op | undefined,
    hint?: string,
  ) => {
    const loc = { pointer: like?.loc.pointer ?? "/time_conditioning", via: [via, ...(like?.loc.via ?? [])] };
    const op = makeOp(name, operands, attributes, loc, check, [hint]);
    ops.push(op);
    return op.results[0]!;
  };
  for (const op of step.ops) {
    const [result] = op.results;
    if (result === undefined) continue;
    if (constants.nodeOf(result) === undefined && !rows.has(result)) continue;
    const operands = op.operands.map((v) => v && values.get(v)!);
    const attributes = rows.has(result) ? withLeading(op, T) : op.attributes;
    values.set(result, emit(op.name, operands, attributes, op, result.hint));
  }
  const parts = columns.map((column) => {
    const width = column.type.shape.slice(1).reduce((n, extent) => n.times(extent), Dim.of(1));
    const flat = column.type.shape.length === 2;
    const value = values.get(column)!;
    return flat ? value : emit("reshape", [value], { shape: [T, width] }, undefined);
  });
  const time = parts.length === 1 ? parts[0]! : emit("concat", parts, { axis: 1 }, undefined, "time");
  return { name: "time", inputs: [input], ops, outputs: [time], outputNames: ["time"] };
}

/** The attributes of a row op with its leading extent replaced where they name it. */
function withLeading(op: Op, T: Dim): Attributes {
  if (op.name !== "reshape" && op.name !== "broadcast") return op.attributes;
  return { ...op.attributes, shape: [T, ...(op.attributes.shape as readonly Dim[]).slice(1)] };
}
