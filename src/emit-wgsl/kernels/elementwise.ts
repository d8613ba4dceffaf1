// A group without an anchor: y[i] = f(operands at i), four neighbours an invocation where the widths allow.

import type { Graph, Value } from "../../ir/graph.js";
import { definitionOf } from "../../ir/ops/index.js";
import { count } from "../../ir/tensor.js";
import { reader, shaped } from "../element.js";
import { invocations } from "../grid.js";
import type { Environment } from "../group.js";
import type { Implementation, Kernel, Table } from "../kernel.js";
import { flatPlace } from "../place.js";
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

/** Fewer outputs a dispatch where all would take more buffers than a stage has. */
function withinLimits(
  graph: Graph,
  outputs: readonly Value[],
  environment: Environment,
): { kernel: Kernel; tables: readonly Table[] }[] {
  const whole = oneShape(graph, outputs, environment);
  const half = Math.ceil(outputs.length / 2);
  return whole.kernel.bindings.length <= environment.limits.maxStorageBuffersPerShaderStage ||
    half === outputs.length
    ? [whole]
    : [outputs.slice(0, half), outputs.slice(half)].flatMap((part) => withinLimits(graph, part, environment));
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
  const work = invocations(writer, size / lanes, (i) => {
    const place = flatPlace(shape, lanes === 4 ? `${i} * 4u` : i, lanes);
    for (const output of outputs) {
      const value = read.source(output).load(place);
      const index = graph.outputs.indexOf(output);
      const role = { kind: "result", index } as const;
      writer.buffer(role, graph.outputNames[index] ?? "result", shaped(output).element, size, "read_write");
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
      `${names.join(", ")} over [${shape.join(", ")}], ${lanes === 4 ? "four elements" : "one element"} an invocation.`,
      ...[...new Set(names)].map((name) => `  ${name}: ${definitionOf(name)!.summary}`),
    ],
    ...work,
  });
  return { kernel, tables: writer.tables };
}
