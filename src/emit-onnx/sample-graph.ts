// sample.onnx: the whole sampler as one ONNX Loop around the body of @step. Noise and the table of coefficients
// are inputs with a leading axis T (the number of steps), so the same file samples with any number of steps.
// Where hoist-time has made @time, it runs once before the loop on all levels and each step takes its row; where
// hoist-encoder has made @encode, it runs once before the loop. Latents leave it through @decode.
import { Dim, dim } from "../ir/dim.js";
import { findGraph, type Graph, type Module, type Value } from "../ir/graph.js";
import { bug } from "../support/diagnostic.js";
import { attr } from "./attributes.js";
import type { BuiltGraph } from "./built-graph.js";
import type { RuntimeRelease } from "./capability/opsets.js";
import type { LoweringOptions } from "./file-state.js";
import { GraphBuilder } from "./graph-builder.js";
import { lowerBody } from "./lower-graph.js";
import { cast, expand, reshape, scalar } from "./nodes.js";
import { dataTypes } from "./proto/messages.js";
import { type OnnxType, type OnnxValue, onnxType } from "./value.js";
import type { WeightScope } from "./weight-pool.js";

/** Inputs of @step that are the same in every step. */
const always = ["fixed_mask", "encoder", "encoder_mask", "class"];
/** Inputs of @step that hold the previous step's prediction of x0. */
const history = new Set(["self_cond", "x0_prev"]);
const steps = Dim.symbol("T");
/** Index of the row of a folded time table, the step's own number. */
const stepNumber = "step";
/** Whether there was a step before. */
const notFirst = "self_cond_mask";

const nameOf = (value: Value): string => value.hint ?? bug("an input of @step has no name");

/**
 * `@sample(x, <fixed inputs>, <per-step inputs with a leading T>) -> (x_last, x0, tokens?)` of the last step, of latents
 * (x_last, x0) and what @decode makes of x_last.
 * `undefined` when the module has no @step.
 */
export function sampleGraph(
  module: Module,
  limits: RuntimeRelease,
  pool: WeightScope,
  { renoised = false, ...options }: LoweringOptions & { readonly renoised?: boolean | undefined },
): BuiltGraph | undefined {
  const step = findGraph(module, "step");
  if (step === undefined) return undefined;
  const builder = GraphBuilder.create("sample", limits, pool, options);
  const outer = new Map<string, OnnxValue>();
  const fixed = new Set([...always, ...(renoised ? [] : ["fixed_x"])]);
  const encode = findGraph(module, "encode");
  const encoded = encode && outputsOf(module, encode, builder);
  for (const value of step.inputs) {
    const name = nameOf(value);
    const once = encoded?.get(name);
    if (once !== undefined) outer.set(name, once);
    if (once !== undefined || history.has(name) || name === stepNumber || name === notFirst) continue;
    const time = name === "time" ? findGraph(module, "time") : undefined;
    if (time !== undefined) outer.set(name, timeTable(module, time, builder));
    else if (name === "x" || fixed.has(name)) outer.set(name, builder.input(name, onnxType(value.type)));
    else outer.set(name, builder.input(name, stacked(onnxType(value.type))));
  }
  const initial = ["x0", "tokens"].flatMap((name) => {
    const value = step.outputs[step.outputNames.indexOf(name)];
    return value === undefined ? [] : [zeros(builder, onnxType(value.type))];
  });
  const x = outer.get("x") ?? bug("@step has no input x");
  const same = new Set([...fixed, ...(encoded?.keys() ?? [])]);
  const carried = [x, ...initial];
  const body = loopBody(module, step, builder, { outer, same }, carried);
  const extent = builder.node(
    "Shape",
    [outer.get("coefficients")],
    { element: "int64", shape: [dim(1)] },
    {
      start: attr.int(0),
      end: attr.int(1),
    },
  );
  const count = builder.node("Squeeze", [extent, builder.integers([0])], { element: "int64", shape: [] });
  const results = builder.nodeWithResults(
    "Loop",
    [count, undefined, ...carried],
    carried.map((value) => value.type),
    { body: attr.graph(body) },
  );
  const last = results.map((value, i) => ({ name: ["x_last", "x0", "tokens"][i]!, value }));
  const decode = findGraph(module, "decode");
  const decoded = decode === undefined ? [] : lowerBody(module, decode, [results[0]!], builder);
  const named = decoded.map((value, i) => ({ name: decode!.outputNames[i]!, value }));
  return builder.finish([...last, ...named.filter(({ name }) => name !== "logits")]);
}

/** One row per step; a lone number per step is a vector. */
function stacked(type: OnnxType): OnnxType {
  const lone = type.shape.length === 1 && type.shape[0]!.value === 1;
  return { ...type, shape: lone ? [steps] : [steps, ...type.shape] };
}

/** A graph on inputs of its own, by the names of its outputs. */
function outputsOf(module: Module, graph: Graph, builder: GraphBuilder): Map<string, OnnxValue> {
  const inputs = graph.inputs.map((value) => builder.input(nameOf(value), onnxType(value.type)));
  const results = lowerBody(module, graph, inputs, builder);
  return new Map(graph.outputNames.map((name, i) => [name, results[i]!]));
}

/** @time of all levels, one row per step. */
function timeTable(module: Module, time: Graph, builder: GraphBuilder): OnnxValue {
  return outputsOf(module, time, builder).get("time")!;
}

const zeros = (b: GraphBuilder, type: OnnxType): OnnxValue =>
  expand(b, scalar(b, 0, type.element), type.shape);

/** (i, keep_going, x, x0_prev, tokens) -> (keep_going, x_next, x0, tokens). */
function loopBody(
  module: Module,
  step: Graph,
  builder: GraphBuilder,
  { outer, same }: { readonly outer: ReadonlyMap<string, OnnxValue>; readonly same: ReadonlySet<string> },
  carried: readonly OnnxValue[],
): BuiltGraph {
  const body = builder.subgraph("sample_step");
  const index = body.input("step_index", { element: "int64", shape: [] });
  const keepGoing = body.input("keep_going", { element: "bool", shape: [] });
  const [x, previous] = carried.map(({ type }, i) =>
    body.input(["x_t", "x0_before", "tokens_before"][i]!, type),
  );
  const operands = step.inputs.map((value) => {
    const name = nameOf(value);
    if (name === "x") return x!;
    if (history.has(name)) return previous!;
    if (name === stepNumber) return reshape(body, index, [1]);
    if (name === notFirst) return reshape(body, cast(body, index, "bool", dataTypes.bool), [1]);
    const table = outer.get(name)!;
    if (same.has(name)) return table;
    const { element, shape } = onnxType(value.type);
    const row = { element, shape: table.type.shape.slice(1) };
    return reshape(body, body.node("Gather", [table, index], row, { axis: attr.int(0) }), shape);
  });
  const results = lowerBody(module, step, operands, body);
  const pick = (name: string): OnnxValue =>
    results[step.outputNames.indexOf(name)] ?? bug(`@step gives no ${name}`);
  return body.finish([
    { name: "keep_going_next", value: keepGoing },
    { name: "x_next", value: pick("x_next") },
    { name: "x0_next", value: pick("x0") },
    ...(carried.length > 2 ? [{ name: "tokens_next", value: pick("tokens") }] : []),
  ]);
}
