// A group without an anchor: y[i] = f(operands at i), four neighbours an invocation where the widths allow.

import type { Graph, Op, Value } from "../../ir/graph.js";
import { count } from "../../ir/tensor.js";
import { type } from "../../ir/type.js";
import { reader, shaped } from "../element.js";
import { formulas } from "../formula.js";
import { invocations } from "../grid.js";
import type { Implementation, Kernel, Table } from "../kernel.js";
import type { Environment } from "../limits.js";
import { axesPlace, flatPlace, plus } from "../place.js";
import { KernelWriter } from "../writer.js";

/** One dispatch per shape among the group's outputs. */
export function elementwiseKernel(graph: Graph, environment: Environment): Implementation {
  const byShape = new Map<string, Value[]>();
  for (const output of graph.outputs) {
    const key = shaped(output).shape.join("x");
    byShape.set(key, [...(byShape.get(key) ?? []), output]);
  }
  const made = [...byShape.values()].flatMap((outputs) => withinLimits(graph, outputs, environment));
  return { kernels: made.map((m) => m.kernel), scratch: [], tables: made.flatMap((m) => m.tables) };
}

interface Made {
  readonly kernel: Kernel;
  readonly tables: readonly Table[];
}

/** Fewer outputs a dispatch, or fewer parts of a concatenation, where all would take more buffers than a stage has. */
function withinLimits(graph: Graph, outputs: readonly Value[], environment: Environment): Made[] {
  const fits = ({ kernel }: Made): boolean =>
    kernel.bindings.length <= environment.limits.maxStorageBuffersPerShaderStage;
  const whole = oneShape(graph, outputs, environment);
  if (fits(whole)) return [whole];
  if (outputs.length > 1) {
    const half = Math.ceil(outputs.length / 2);
    return [outputs.slice(0, half), outputs.slice(half)].flatMap((part) =>
      withinLimits(graph, part, environment),
    );
  }
  const join = graph.ops.find((op) => op.results[0] === outputs[0] && op.name === "concat");
  if (join === undefined) return [whole];
  const pieces = (from: number, to: number): Made[] => {
    const made = joinPiece(graph, join, from, to, environment);
    const half = Math.ceil((from + to) / 2);
    return fits(made) || to - from === 1 ? [made] : [...pieces(from, half), ...pieces(half, to)];
  };
  return pieces(0, join.operands.length);
}

/** The part of a concatenation that comes from operands `from` .. `to - 1`, written where it belongs. */
function joinPiece(
  graph: Graph,
  join: Op,
  from: number,
  to: number,
  { limits, features }: Environment,
): Made {
  const axis = join.attributes.axis as number;
  const output = join.results[0]!;
  const { element, shape } = shaped(output);
  const extent = (value: Value | undefined): number => shaped(value!).shape[axis]!;
  const sum = (values: readonly (Value | undefined)[]): number =>
    values.reduce((n, value) => n + extent(value), 0);
  const before = sum(join.operands.slice(0, from));
  const own = shape.map((n, k) => (k === axis ? sum(join.operands.slice(from, to)) : n));
  const value: Value = { type: type(element, own), hint: output.hint };
  const piece: Op = { ...join, operands: join.operands.slice(from, to), results: [value] };
  const writer = new KernelWriter(limits, features);
  const read = reader({ ...graph, ops: [...graph.ops.filter((op) => op !== join), piece] }, writer);
  const work = invocations(writer, count(own), (i) => {
    const place = flatPlace(own, i);
    const register = read.source(value).load(place);
    const at = shape.map((_, k) => (k === axis ? plus(place.axis(k), `${before}u`) : place.axis(k)));
    const role = { kind: "result", index: graph.outputs.indexOf(output) } as const;
    const note = `[${shape.join(", ")}]`;
    writer.buffer(
      role,
      graph.outputNames[role.index] ?? "result",
      element,
      count(shape),
      "read_write",
      1,
      note,
    );
    writer.put(role, axesPlace(shape, at).flat(), register);
  });
  const kernel = writer.finish({
    name: `concat_${own.join("x")}_at_${before}_of_${shape[axis]}`,
    comment: [
      `Operands ${from} to ${to - 1} of a concatenation along axis ${axis} of [${shape.join(", ")}].`,
    ],
    ...work,
  });
  return { kernel, tables: writer.tables };
}

function oneShape(
  graph: Graph,
  outputs: readonly Value[],
  { limits, features }: Environment,
): { kernel: Kernel; tables: readonly Table[] } {
  const { shape } = shaped(outputs[0]!);
  const last = shape[shape.length - 1] ?? 1;
  const lanes = last % 4 === 0 ? 4 : 1;
  const size = count(shape);
  const writer = new KernelWriter(limits, features, lanes);
  const read = reader(graph, writer);
  const nameOf = (output: Value): string => graph.outputNames[graph.outputs.indexOf(output)] ?? "y";
  const work = invocations(writer, size / lanes, (i) => {
    const place = flatPlace(shape, lanes === 4 ? `${i} * 4u` : i, lanes);
    for (const output of outputs) {
      const value = read.source(output).load(place);
      const index = graph.outputs.indexOf(output);
      const role = { kind: "result", index } as const;
      const note = `[${shape.join(", ")}]`;
      const { element } = shaped(output);
      writer.buffer(role, `${nameOf(output)}_out`, element, size, "read_write", lanes, note);
      if (lanes === 4 && writer.isVector(role)) writer.put4(role, place.flat(), value);
      else if (lanes === 4)
        for (let j = 0; j < 4; j++) writer.put(role, `${place.flat()} + ${j}u`, `${value}.${"xyzw"[j]}`);
      else writer.put(role, place.flat(), value);
    }
  });
  const names = graph.ops.map((op) => op.name);
  const kernel = writer.finish({
    name: `${names.slice(0, 4).join("_")}${names.length > 4 ? `_and_${names.length - 4}_more` : ""}_${shape.join("x") || "scalar"}`,
    comment: [
      ...formulas({ ...graph, outputs, outputNames: outputs.map(nameOf) }),
      `over [${shape.join(", ")}], ${lanes === 4 ? "four elements" : "one element"} an invocation.`,
    ],
    ...work,
  });
  return { kernel, tables: writer.tables };
}
