// L := n everywhere: in the header, in types and in attributes. Names stay, so the text still says L.

import { Dim } from "../ir/dim.js";
import type { Attribute, Graph, Module, Op, Value } from "../ir/graph.js";
import { fail } from "../support/diagnostic.js";
import { suggest } from "../support/suggest.js";
import type { Pass } from "./pass.js";

/**
 * Gives free dims of the header their sizes. Dims the module does not have free are left alone when their size
 * is already the wanted one. Throws `ir/unknown-dim`, `ir/dim-range`.
 */
export function bindDims(sizes: Readonly<Record<string, number>>): Pass {
  return {
    name: "bind-dims",
    summary: "give free dims their sizes",
    run: (module) => bound(module, new Map(Object.entries(sizes))),
  };
}

function bound(module: Module, sizes: ReadonlyMap<string, number>): Module {
  for (const [name, size] of sizes) checkSize(module, name, size);
  const bind = (extent: Dim): Dim => extent.bind(sizes);
  const dims = new Map([...module.dims].map(([name, extent]) => [name, bind(extent).named(name)]));
  const unchanged = [...module.dims].every(([name, extent]) => dims.get(name)!.equals(extent));
  return unchanged ? module : { ...module, dims, graphs: module.graphs.map((g) => boundGraph(g, bind)) };
}

function checkSize(module: Module, name: string, size: number): void {
  const known = module.dims.get(name);
  if (known === undefined) {
    const near = suggest(name, module.dims.keys());
    fail(
      "ir/unknown-dim",
      `the module has the dims ${[...module.dims.keys()].join(", ") || "none"}, got ${name}`,
      {
        ...(near !== undefined && { help: `did you mean ${near}?` }),
      },
    );
  }
  const inRange = Number.isInteger(size) && size >= known.min && size <= known.max;
  if (!inRange)
    fail("ir/dim-range", `dim ${name} lies in ${known.min}..${known.max}, got ${size}`, {
      help: `choose a whole number in that range`,
    });
}

function boundGraph(graph: Graph, bind: (extent: Dim) => Dim): Graph {
  const values = new Map<Value, Value>();
  const renewed = (value: Value): Value => {
    const known = values.get(value) ?? {
      ...value,
      type: { element: value.type.element, shape: value.type.shape.map(bind) },
    };
    values.set(value, known);
    return known;
  };
  const ops: Op[] = graph.ops.map((op) => ({
    ...op,
    operands: op.operands.map((v) => v && renewed(v)),
    results: op.results.map(renewed),
    attributes: Object.fromEntries(
      Object.entries(op.attributes).map(([name, value]) => [name, boundAttribute(value, bind)]),
    ),
  }));
  return { ...graph, inputs: graph.inputs.map(renewed), ops, outputs: graph.outputs.map(renewed) };
}

function boundAttribute(value: Attribute, bind: (extent: Dim) => Dim): Attribute {
  if (value instanceof Dim) return bind(value);
  if (Array.isArray(value) && value.some((v) => v instanceof Dim)) return (value as readonly Dim[]).map(bind);
  return value;
}
