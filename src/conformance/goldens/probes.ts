// Finding intermediate values of a lowered graph by what they are made of, so that they can be compared with the
// intermediates that upstream recorded.

import type { Graph, Module, Op, Value } from "../../ir/graph.js";
import { findGraph } from "../../ir/graph.js";
import { bug } from "../../support/diagnostic.js";

/** Questions to one graph. */
export interface Probes {
  /** The op that reads the parameter. */
  reader(parameter: string): Op | undefined;
  /** The result of that op. */
  reading(parameter: string): Value | undefined;
  /** The result of the next op of that name that reads the value. */
  after(value: Value | undefined, op: string): Value | undefined;
  /** Ops of a name in order. */
  ops(name: string): readonly Op[];
  /** The value with that hint; the n-th of several. */
  hinted(hint: string, n?: number): Value | undefined;
  /** Results of ops that read the value. */
  readersOf(value: Value | undefined): readonly Op[];
}

export function probesOf(module: Module, name: string): Probes {
  const graph: Graph = findGraph(module, name) ?? bug(`the module has no graph @${name}`);
  const readersOf = (value: Value | undefined): readonly Op[] =>
    value === undefined ? [] : graph.ops.filter((op) => op.operands.includes(value));
  const reader = (parameter: string): Op | undefined => {
    const weight = graph.ops.find((op) => op.name === "weight" && op.attributes.name === parameter);
    return readersOf(weight?.results[0])[0];
  };
  return {
    readersOf,
    reader,
    reading: (parameter) => reader(parameter)?.results[0],
    after: (value, op) => readersOf(value).find((reader) => reader.name === op)?.results[0],
    ops: (op) => graph.ops.filter((candidate) => candidate.name === op),
    hinted(hint, n = 0) {
      const values = graph.ops.flatMap((op) => op.results).filter((value) => value.hint === hint);
      return values[n];
    },
  };
}
