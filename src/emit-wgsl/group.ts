// A fused group (a graph that a call names) or a single op as dispatches: finds the anchor, hands its kernel
// sources and sinks that run the ops around it.

import { type Graph, type Op, present, type Value } from "../ir/graph.js";
import { operandName } from "../ir/op.js";
import { definitionOf, type OpName } from "../ir/ops/index.js";
import { bug } from "../support/diagnostic.js";
import { isElementOp, reader, shaped } from "./element.js";
import { formulas } from "./formula.js";
import type { Implementation, KernelRequest, Opened, WgslKernel } from "./kernel.js";
import { composites } from "./kernels/composites.js";
import { elementwiseKernel } from "./kernels/elementwise.js";
import { wgslKernels } from "./kernels/index.js";
import type { Environment } from "./limits.js";
import { route, sink } from "./sink.js";
import { KernelWriter } from "./writer.js";

const kernels = wgslKernels as unknown as Readonly<Record<string, WgslKernel<OpName> | undefined>>;

/** True when a kernel of its own computes the op. */
export function isAnchor(name: string): boolean {
  return Object.hasOwn(kernels, name);
}

/** Every op the WGSL back end takes. */
export const wgslOps = (names: Iterable<string>): ReadonlySet<string> =>
  new Set(["weight", "call", ...[...names].filter((name) => isAnchor(name) || isElementOp(name))]);

/** Why the graph is not a group that one implementation can compute; undefined when it is. */
export function groupProblem(graph: Graph): string | undefined {
  if (composites.some((composite) => composite.matches(graph))) return undefined;
  const strange = graph.ops.find((op) => !isAnchor(op.name) && !isElementOp(op.name));
  if (strange !== undefined) return `${strange.name} has no kernel`;
  const anchors = graph.ops.filter((op) => !isElementOp(op.name));
  if (anchors.length > 1) return `${anchors.map((op) => op.name).join(" and ")} are both anchors`;
  const [anchor] = anchors;
  if (anchor === undefined) return undefined;
  for (const output of graph.outputs)
    if (anchor.results.every((result) => route(graph, anchor, output, result) === undefined))
      return `output ${output.hint ?? ""} is not ${anchor.name}'s result element by element`;
  return undefined;
}

/** The dispatches of a group. The graph must have no `groupProblem`; its dims must be bound. */
export function lowerGroup(graph: Graph, environment: Environment): Implementation {
  const composite = composites.find((c) => c.matches(graph));
  if (composite !== undefined) return composite.lower(graph, environment);
  const anchor = graph.ops.find((op) => !isElementOp(op.name));
  if (anchor === undefined) return elementwiseKernel(graph, environment);
  const kernel = kernels[anchor.name] ?? bug(`${anchor.name} has no kernel`);
  return kernel(request(graph, anchor, environment));
}

/** The op alone, as a graph: what `lowerGroup` takes for an op outside a group. Equal operands become one input. */
export function groupOfOp(op: Op): Graph {
  const inputs = [...new Set(present(op))];
  return {
    name: op.name,
    inputs,
    ops: [op],
    outputs: op.results,
    outputNames: op.results.map((v, k) => v.hint ?? (k === 0 ? "y" : `y${k}`)),
  };
}

function request(graph: Graph, anchor: Op, { limits, features }: Environment): KernelRequest<OpName> {
  const slots = definitionOf(anchor.name)!.operands;
  const record = <T>(of: (value: Value) => T): Record<string, unknown> =>
    slots[0]?.endsWith("*")
      ? { [operandName(slots[0])]: anchor.operands.map((v) => of(v!)) }
      : Object.fromEntries(
          slots.map((slot, k) => [operandName(slot), anchor.operands[k] && of(anchor.operands[k])]),
        );
  const others = graph.ops.filter((op) => op !== anchor && !hidden.has(op.name) && !widensInput(graph, op));
  return {
    attributes: anchor.attributes as never,
    operandTypes: record(shaped) as never,
    resultTypes: anchor.results.map(shaped),
    suffix: others.map((op) => `_${op.name}`).join(""),
    around: formulas(graph, anchor),
    limits,
    features,
    open({ lanes = 1, stores = lanes } = {}) {
      const writer = new KernelWriter(limits, features, lanes);
      const read = reader(graph, writer);
      return {
        writer,
        operands: record((value) => read.source(value)),
        results: anchor.results.map((_, k) => sink(graph, anchor, k, writer, read, stores)),
      } as unknown as Opened<OpName>;
    },
  };
}

/** A cast of a half that the group is given: a way of storing it, no work. */
function widensInput(graph: Graph, { name, operands: [x] }: Op): boolean {
  return name === "cast" && x?.type.element === "f16" && graph.inputs.includes(x);
}

/** Ops that leave no trace in a kernel's name. */
const hidden = new Set(["reshape", "broadcast", "constant", "literal"]);
