// A fused group (a graph that a call names) or a single op as dispatches: finds the anchor, hands its kernel
// sources and sinks that run the ops around it.

import { type Graph, type Op, present, type Value } from "../ir/graph.js";
import { operandName } from "../ir/op.js";
import { definitionOf, type OpName } from "../ir/ops/index.js";
import { count } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import { isElementOp, type Reader, reader, shaped } from "./element.js";
import type { Implementation, KernelRequest, Opened, Shaped, Sink, WgslKernel } from "./kernel.js";
import { composites } from "./kernels/composites.js";
import { elementwiseKernel } from "./kernels/elementwise.js";
import { wgslKernels } from "./kernels/index.js";
import type { Features, Limits } from "./limits.js";
import { axesPlace, lanePlace, type Place, reshaped } from "./place.js";
import { KernelWriter } from "./writer.js";

export interface Environment {
  readonly limits: Limits;
  readonly features: Features;
}

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
    outputNames: op.results.map((v, k) => v.hint ?? `result${k}`),
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
  const others = graph.ops.filter((op) => op !== anchor && !hidden.has(op.name));
  return {
    attributes: anchor.attributes as never,
    operandTypes: record(shaped) as never,
    resultTypes: anchor.results.map(shaped),
    suffix: others.map((op) => `_${op.name}`).join(""),
    around: others.map((op) => definitionOf(op.name)!.summary),
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

/** Ops that leave no trace in a kernel's name. */
const hidden = new Set(["reshape", "broadcast", "constant", "literal"]);

/** Stores the group's outputs that come from result k of the anchor. */
function sink(graph: Graph, anchor: Op, k: number, writer: KernelWriter, read: Reader, stores: 1 | 4): Sink {
  const result = anchor.results[k]!;
  const routes = graph.outputs.map((output) => route(graph, anchor, output, result));
  const lanesKept = routes.every((r) => r === undefined || r.lanes);
  const storeOne = (place: Place, value: string): void => {
    read.assume(result, value);
    graph.outputs.forEach((output, index) => {
      const to = routes[index]?.(place);
      if (to === undefined) return;
      const { element, shape } = shaped(output);
      const register = read.source(output).load(to);
      const role = { kind: "result", index } as const;
      const vector = lanesKept && stores === 4 && shape[shape.length - 1]! % 4 === 0;
      writer.buffer(
        role,
        graph.outputNames[index] ?? "result",
        element,
        count(shape),
        "read_write",
        vector ? 4 : 1,
      );
      if (to.lanes === 1) writer.put(role, to.flat(), register);
      else if (writer.isVector(role)) writer.put4(role, to.flat(), register);
      else for (let j = 0; j < 4; j++) writer.put(role, lanePlace(to, j).flat(), `${register}.${"xyzw"[j]}`);
    });
    read.assume(result, undefined);
  };
  return {
    ...shaped(result),
    store(place, value) {
      const register = writer.bind(value, result.hint ?? anchor.name);
      if (place.lanes === 1 || lanesKept) storeOne(place, register);
      else for (let j = 0; j < 4; j++) storeOne(lanePlace(place, j), `${register}.${"xyzw"[j]}`);
    },
  };
}

/** Where an element of the anchor's result ends up in an output; `lanes`: four neighbours stay neighbours. */
interface Route {
  (place: Place): Place;
  readonly lanes: boolean;
}

const stay: Route = Object.assign((place: Place) => place, { lanes: true });

/**
 * The route from a result of the anchor to an output; undefined where there is none. An output of the same shape
 * that the anchor has no part in (a residual sum that is also normalised) is stored along with the first result.
 */
function route(graph: Graph, anchor: Op, output: Value, result: Value): Route | undefined {
  if (!dependents(graph, anchor).has(output)) {
    const [own, other] = [shaped(result).shape, shaped(output).shape];
    return result === anchor.results[0] && `${own}` === `${other}` ? stay : undefined;
  }
  const step = (value: Value): Route | undefined => {
    if (value === result) return stay;
    const op = graph.ops.find((o) => o.results.includes(value));
    if (op === undefined || op === anchor) return undefined;
    for (const operand of present(op)) {
      const before = step(operand);
      if (before === undefined) continue;
      const forward = follow(op, shaped(operand), shaped(value));
      if (forward !== undefined)
        return Object.assign((place: Place) => forward(before(place)), {
          lanes: before.lanes && forward.lanes,
        });
    }
    return undefined;
  };
  return step(output);
}

/** Where an element of an operand ends up in the op's result. */
function follow(op: Op, operand: Shaped, result: Shaped): Route | undefined {
  const { shape } = result;
  if (op.name === "transpose") {
    const permutation = op.attributes.permutation as readonly number[];
    return Object.assign(
      (place: Place) =>
        axesPlace(
          shape,
          permutation.map((from) => place.axis(from)),
          permutation[permutation.length - 1] === permutation.length - 1 ? place.lanes : 1,
        ),
      { lanes: permutation[permutation.length - 1] === permutation.length - 1 },
    );
  }
  if (op.name === "reshape" || (op.name === "broadcast" && count(shape) === count(operand.shape)))
    return Object.assign((place: Place) => reshaped(place, shape), {
      lanes: (shape[shape.length - 1] ?? 1) % 4 === 0,
    });
  if (definitionOf(op.name)!.fusion !== "elementwise") return undefined;
  const same = shape.length === operand.shape.length && shape.every((n, axis) => n === operand.shape[axis]);
  if (same) return Object.assign((place: Place) => place, { lanes: true });
  return count(shape) === count(operand.shape)
    ? Object.assign((place: Place) => reshaped(place, shape), {
        lanes: (shape[shape.length - 1] ?? 1) % 4 === 0,
      })
    : undefined;
}

/** Values that depend on the anchor. */
function dependents(graph: Graph, anchor: Op): Set<Value> {
  const found = new Set<Value>(anchor.results);
  for (const op of graph.ops)
    if (present(op).some((v) => found.has(v))) for (const result of op.results) found.add(result);
  return found;
}
