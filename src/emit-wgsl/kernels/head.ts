// The rounding head as one group: logits from linear layers and elementwise ops, their softmax averaged over an
// embedding table, and their argmax. Logits are never in memory.
//   logits = f(x W^T + bias, ..)      x0 = softmax(logits) E      tokens = argmax logits

import { type Graph, type Op, present, type Value } from "../../ir/graph.js";
import { count } from "../../ir/tensor.js";
import { isElementOp, reader, shaped } from "../element.js";
import type { Implementation } from "../kernel.js";
import type { Environment } from "../limits.js";
import { axesPlace, flatPlace, rowPlace } from "../place.js";
import { route, sink } from "../sink.js";
import { KernelWriter } from "../writer.js";
import type { Composite } from "./composite.js";
import type { Term } from "./score-parts.js";
import { scoreKernels } from "./scores.js";

interface Head {
  readonly logits: Value;
  readonly linears: readonly Op[];
  /** softmax(logits) and its product with the table. */
  readonly softmax: Op | undefined;
  readonly mean: Op | undefined;
  readonly argmax: Op | undefined;
}

/** The parts of a head, when the graph is one. */
function headOf(graph: Graph): Head | undefined {
  const anchors = graph.ops.filter((op) => !isElementOp(op.name));
  const named = (name: string): Op[] => anchors.filter((op) => op.name === name);
  const [linears, softmaxes, products, argmaxes] = ["linear", "softmax", "matmul", "argmax"].map(named) as [
    Op[],
    Op[],
    Op[],
    Op[],
  ];
  const known = linears.length + softmaxes.length + products.length + argmaxes.length;
  if (known !== anchors.length || linears.length === 0 || softmaxes.length > 1 || argmaxes.length > 1)
    return undefined;
  const [softmax] = softmaxes;
  const [argmax] = argmaxes;
  const [mean] = products;
  const logits = (softmax ?? argmax)?.operands[0];
  if (logits === undefined || products.length !== softmaxes.length) return undefined;
  if (argmax !== undefined && argmax.operands[0] !== logits) return undefined;
  const last = logits.type.shape.length - 1;
  if (softmax !== undefined && softmax.attributes.axis !== last) return undefined;
  if (argmax !== undefined && argmax.attributes.axis !== last) return undefined;
  if (mean !== undefined) {
    const [a, b] = mean.operands as [Value, Value];
    if (a !== softmax!.results[0] || b.type.shape.length !== 2 || mean.attributes.transpose_b === true)
      return undefined;
  }
  const shape = (value: Value): string => shaped(value).shape.join();
  if (linears.some((op) => shape(op.results[0]!) !== shape(logits))) return undefined;
  // Everything between the linear layers and the logits is elementwise, and only reductions read the logits.
  const inner = new Set<Value>([logits, ...linears.flatMap((op) => op.results), ...(softmax?.results ?? [])]);
  if (graph.outputs.some((v) => inner.has(v))) return undefined;
  const ends = [...(mean === undefined ? [] : [mean]), ...(argmax === undefined ? [] : [argmax])];
  for (const output of graph.outputs)
    if (ends.every((op) => route(graph, op, output, op.results[0]!) === undefined)) return undefined;
  return readsOnly(graph, logits, linears) ? { logits, linears, softmax, mean, argmax } : undefined;
}

/** True when `value` is made of the linear layers' results and inputs by elementwise ops alone. */
function readsOnly(graph: Graph, value: Value, linears: readonly Op[]): boolean {
  const op = graph.ops.find((o) => o.results.includes(value));
  if (op === undefined || linears.includes(op)) return true;
  return isElementOp(op.name) && present(op).every((v) => readsOnly(graph, v, linears));
}

export const headComposite: Composite = {
  name: "head",
  summary: "x0 = softmax(f(x W^T)) E, tokens = argmax f(x W^T)",
  matches: (graph) => headOf(graph) !== undefined,
  lower: (graph, environment) => lowerHead(graph, headOf(graph)!, environment),
};

function lowerHead(graph: Graph, head: Head, { limits, features }: Environment): Implementation {
  const { logits, linears, mean, argmax } = head;
  const { shape } = shaped(logits);
  const vocabulary = shape[shape.length - 1]!;
  const m = count(shape) / vocabulary;
  const table = mean?.operands[1];
  const width = table === undefined ? 0 : shaped(table).shape[1]!;
  const wanted = [mean && "mean", argmax && "argmax"].filter((part) => part !== undefined).join("_");
  const widths = linears.map((op) => shaped(op.operands[0]!).shape.at(-1)!);
  return scoreKernels({
    name: `head_${wanted}_${m}x${widths.join("_and_")}_of_${vocabulary}${width > 0 ? `_to_${width}` : ""}`,
    comment: [
      `logits = ${linears.map((op) => `x [${m}, ${shaped(op.operands[0]!).shape.at(-1)}] by [${vocabulary}]`).join(" and ")}${mean ? `, x0 = softmax(logits) E, E [${vocabulary}, ${width}]` : ""}${argmax ? ", tokens = argmax logits" : ""}.`,
    ],
    m,
    vocabulary,
    width,
    wantsBest: argmax !== undefined,
    limits,
    open(lanes) {
      const writer = new KernelWriter(limits, features, lanes);
      const read = reader(graph, writer);
      const terms = linears.map((op): Term => {
        const x = read.source(op.operands[0]!);
        const weight = read.source(op.operands[1]!);
        return {
          k: x.shape[x.shape.length - 1]!,
          kind: "dot",
          a: (row, at, wide) => x.load(rowPlace(x.shape, row, at, wide)),
          b: (entry, at, wide) => weight.load(axesPlace(weight.shape, [entry, at], wide)),
        };
      });
      const embedding = table && read.source(table);
      return {
        writer,
        terms,
        score(row, entry, values) {
          linears.forEach((op, k) => {
            const bias = op.operands[2] && read.source(op.operands[2]).load(axesPlace([vocabulary], [entry]));
            read.assume(
              op.results[0]!,
              bias === undefined ? values[k] : writer.bind(`${values[k]} + ${bias}`, "logit"),
            );
          });
          return read.source(logits).load(rowPlace(shape, row, entry));
        },
        ...(embedding && {
          table: (entry: string, column: string, wide: 1 | 4) =>
            embedding.load(axesPlace(embedding.shape, [entry, column], wide)),
        }),
      };
    },
    openJoin() {
      const writer = new KernelWriter(limits, features, 1);
      const read = reader(graph, writer);
      const x0 = mean && sink(graph, mean, 0, writer, read, 1);
      const tokens = argmax && sink(graph, argmax, 0, writer, read, 1);
      return {
        writer,
        ...(x0 && {
          mean: (row: string, column: string, value: string) =>
            x0.store(rowPlace(x0.shape, row, column), value),
        }),
        ...(tokens && {
          best: (row: string, value: string) => tokens.store(flatPlace(tokens.shape, row), value),
        }),
      };
    },
  });
}
