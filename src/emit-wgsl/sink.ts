// What happens when an anchor's kernel stores an element: the ops after it run, and every output of the group
// that comes from the element is written where it belongs.

import { type Graph, type Op, present, type Value } from "../ir/graph.js";
import { definitionOf } from "../ir/ops/index.js";
import { count } from "../ir/tensor.js";
import { type Reader, shaped } from "./element.js";
import type { Shaped, Sink } from "./kernel.js";
import { axesPlace, lanePlace, type Place, reshaped } from "./place.js";
import type { KernelWriter } from "./writer.js";

/** Stores the group's outputs that come from result k of the anchor. */
export function sink(
  graph: Graph,
  anchor: Op,
  k: number,
  writer: KernelWriter,
  read: Reader,
  stores: 1 | 4,
): Sink {
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
        `${graph.outputNames[index] ?? "y"}_out`,
        element,
        count(shape),
        "read_write",
        vector ? 4 : 1,
        `[${shape.join(", ")}]`,
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
export function route(graph: Graph, anchor: Op, output: Value, result: Value): Route | undefined {
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
