// What depends only on the noise level is the same for every sample and position: time features, their MLP, every adaLN
// modulation. It moves out of @step into one table with a row per level.
//   run:  @time(level f32[T]) -> time f32[T, W]; @step takes time f32[1, W] in the place of level
//   fold: the table of the given levels becomes a weight; @step takes step i32[1], a row of it

import { makeOp, throwingCheck } from "../ir/build.js";
import { Dim } from "../ir/dim.js";
import { evaluate } from "../ir/evaluate.js";
import { findGraph, type Graph, type Module, type Op, type Value } from "../ir/graph.js";
import { tensor } from "../ir/tensor.js";
import { type } from "../ir/type.js";
import { withComputedWeights } from "./constants/computed-weights.js";
import { freeName } from "./constants/fold.js";
import type { NamedTensors, Pass } from "./pass.js";
import { withoutDeadOps } from "./remove-dead.js";
import { type TimeTable, tableColumns } from "./time/table.js";

export type HoistTimeOptions =
  | { readonly time: "inline" | "run" }
  | { readonly time: "fold"; readonly levels: readonly number[] };

export function hoistTime(options: HoistTimeOptions): Pass {
  return {
    name: "hoist-time",
    summary: "compute what depends only on the noise level once per level",
    run(module) {
      const step = findGraph(module, "step");
      const table = step && options.time !== "inline" ? tableColumns(module, step) : undefined;
      if (step === undefined || table === undefined) return module;
      const withTime = withoutDeadOps(withTimeGraph(module, step, table));
      return options.time === "fold" ? folded(withTime, options.levels) : withTime;
    },
    relateInputs: (graph, given, result) =>
      graph === "step" && given.has("level")
        ? related(options, given, result)
        : { before: given, after: given },
  };
}

/** Adds @time before @step and rebuilds @step on a row of its table. */
function withTimeGraph(module: Module, step: Graph, table: TimeTable): Module {
  const row: Value = { type: type("f32", [1, table.width]), hint: "time" };
  const check = throwingCheck((name) => findGraph(module, name));
  const loc = { pointer: "/time_conditioning", via: ["hoist-time"] };
  const ops: Op[] = [];
  const emit = (name: string, x: Value, attributes: Op["attributes"], hint?: string): Value => {
    const op = makeOp(name, [x], attributes, loc, check, [hint]);
    ops.push(op);
    return op.results[0]!;
  };
  const replaced = new Map<Value, Value>();
  for (const { value, start, width } of table.columns) {
    const { shape } = value.type;
    const part = emit("slice", row, { axis: 1, start: Dim.of(start), length: Dim.of(width) }, value.hint);
    const single =
      shape.length === 2 ? part : emit("reshape", part, { shape: [Dim.of(1), ...shape.slice(1)] });
    replaced.set(value, shape[0]!.value === 1 ? single : emit("broadcast", single, { shape }));
  }
  for (const op of step.ops)
    ops.push({ ...op, operands: op.operands.map((v) => v && (replaced.get(v) ?? v)) });
  const rebuilt: Graph = {
    ...step,
    inputs: step.inputs.map((v) => (v === table.level ? row : v)),
    ops,
    outputs: step.outputs.map((v) => replaced.get(v) ?? v),
  };
  const dims = new Map([...module.dims, ["T", module.dims.get("T") ?? Dim.symbol("T")]]);
  const graphs = module.graphs.flatMap((g) => (g === step ? [table.graph, rebuilt] : [g]));
  return { ...module, dims, graphs };
}

/** @time evaluated at the levels becomes a weight, and @step reads row `step` of it. */
function folded(module: Module, levels: readonly number[]): Module {
  const time = findGraph(module, "time")!;
  const name = freeName("folded.time", (n) => module.weights.has(n));
  const width = time.outputs[0]!.type.shape[1]!;
  const level = tensor("f32", [levels.length], Float64Array.from(levels));
  const computed = new Map([[name, () => evaluate(module, "time", [level])[0]!]]);
  const check = throwingCheck(() => undefined);
  const loc = { pointer: "/time_conditioning", via: ["hoist-time"] };
  const rebuilt = module.graphs
    .filter((graph) => graph !== time)
    .map((graph) => {
      if (graph.name !== "step") return graph;
      const row = graph.inputs.find((v) => v.hint === "time")!;
      const index: Value = { type: type("i32", [1]), hint: "step" };
      const attributes = { name, shape: [Dim.of(levels.length), width] };
      const table = makeOp("weight", [], attributes, loc, check, ["time_table"]);
      const taken = makeOp("take", [table.results[0], index], {}, loc, check, ["time"]);
      const ops = graph.ops.map((op) => ({
        ...op,
        operands: op.operands.map((v) => (v === row ? taken.results[0] : v)),
      }));
      return {
        ...graph,
        inputs: graph.inputs.map((v) => (v === row ? index : v)),
        ops: [table, taken, ...ops],
      };
    });
  const dims = new Map([...module.dims].filter(([dim]) => dim !== "T"));
  // Rows of activations, to be read as exactly as @time would make them.
  const weights = withComputedWeights(module.weights, computed, new Set([name]));
  return { ...module, dims, graphs: rebuilt, weights };
}

/** The row of @time at the given level; with a folded table, its first level and step 0. */
function related(
  options: HoistTimeOptions,
  given: NamedTensors,
  result: Module,
): { before: NamedTensors; after: NamedTensors } {
  if (options.time === "fold") {
    const level = tensor("f32", [1], Float64Array.of(options.levels[0]!));
    const step = tensor("i32", [1]);
    return { before: new Map([...given, ["level", level]]), after: new Map([...given, ["step", step]]) };
  }
  if (findGraph(result, "time") === undefined) return { before: given, after: given };
  const [time] = evaluate(result, "time", [given.get("level")!]);
  return { before: given, after: new Map([...given, ["time", time!]]) };
}
