// Modules made for looking inside: one in which every op is fed by graph inputs, so that one run of one artefact
// checks all ops on their own; one in which every value is an output.

import type { Attribute } from "../ir/graph.js";
import { type Graph, type Module, type Op, present, type Value } from "../ir/graph.js";
import { definitionOf } from "../ir/ops/index.js";
import { nameValues } from "../ir/print.js";
import { withOperands } from "../ir/rewrite.js";
import { stored } from "./stored.js";

/** A module with one graph, made from a flat graph, and how its inputs and outputs relate to that graph's values. */
export interface Transformed {
  readonly module: Module;
  readonly graph: Graph;
  /** The flat graph's value to be fed to each input. */
  readonly feeds: readonly Value[];
  /** The flat graph's value each output shows. */
  readonly shows: readonly Value[];
}

/** Values that depend on no graph input. */
export function constantValues(graph: Graph): ReadonlySet<Value> {
  const constant = new Set<Value>();
  for (const op of graph.ops)
    if (present(op).every((v) => constant.has(v))) for (const result of op.results) constant.add(result);
  return constant;
}

/** A name for every value of a graph, fit for graph inputs and outputs: a letter first, no mark. */
export function portNames(graph: Graph): Map<Value, string> {
  const taken = new Set<string>();
  const names = new Map<Value, string>();
  for (const [value, marked] of nameValues(graph)) {
    const plain = marked.slice(1);
    let name = /^[A-Za-z_]/.test(plain) ? plain : `v${plain}`;
    while (taken.has(name)) name = `${name}_`;
    taken.add(name);
    names.set(value, name);
  }
  return names;
}

/** Ops whose results are checked: all but weights, splats and literals. */
export function checkedOps(graph: Graph): Op[] {
  return graph.ops.filter((op) => definitionOf(op.name)!.fusion !== "constant");
}

/** The graph with every checked value as an output. */
export function cumulative(module: Module, graph: Graph): Transformed {
  return shown(module, graph, graph.inputs, graph.ops, graph.inputs);
}

/**
 * The graph with every operand that depends on an input replaced by a graph input of its own, and every checked
 * value as an output. What depends on constants alone stays in place: targets fold it, and some need it constant.
 * Constants and attributes are rounded to f32, so that reference and target compute with the same numbers.
 */
export function isolated(module: Module, graph: Graph): Transformed {
  const constant = constantValues(graph);
  const names = portNames(graph);
  const given = new Map<Value, Value>();
  const made = new Set(graph.ops.flatMap((op) => op.results));
  for (const op of graph.ops) {
    for (const value of present(op))
      if (made.has(value) && !constant.has(value) && !given.has(value))
        given.set(value, { type: value.type, hint: `given_${names.get(value)}` });
  }
  const ops = graph.ops.map((op) => roundAttributes(withOperands(op, given)));
  return shown(
    { ...module, weights: roundedWeights(module) },
    graph,
    [...graph.inputs, ...given.values()],
    ops,
    [...graph.inputs, ...given.keys()],
  );
}

function shown(
  module: Module,
  graph: Graph,
  inputs: readonly Value[],
  ops: readonly Op[],
  feeds: readonly Value[],
): Transformed {
  const names = portNames(graph);
  const shows = checkedOps(graph).flatMap((op) => op.results);
  const made: Graph = {
    name: graph.name,
    inputs,
    ops,
    outputs: shows,
    outputNames: shows.map((value) => names.get(value)!),
  };
  return { module: { ...module, graphs: [made] }, graph: made, feeds, shows };
}

function roundedWeights({ weights }: Module): Module["weights"] {
  return { has: (name) => weights.has(name), read: (name) => stored(weights.read(name)) };
}

function roundAttributes(op: Op): Op {
  const kinds = definitionOf(op.name)!.attributes as Record<string, { readonly kind: string }>;
  const attributes: Record<string, Attribute> = { ...op.attributes };
  for (const [name, { kind }] of Object.entries(kinds)) {
    const value = attributes[name];
    if (kind === "float") attributes[name] = Math.fround(value as number);
    if (kind === "floats") attributes[name] = (value as readonly number[]).map(Math.fround);
  }
  return { ...op, attributes };
}
