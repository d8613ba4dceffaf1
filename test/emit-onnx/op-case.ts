// One op as a module: some operands are inputs, some weights, some have a symbolic batch.
import { Builder } from "../../src/ir/build.js";
import { Dim, dim } from "../../src/ir/dim.js";
import type { Module, Value, WeightSource } from "../../src/ir/graph.js";
import type { Tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";

/** The symbolic batch; 2 when run. */
export const batch = Dim.symbol("B");

export interface Case {
  /** What the op is called with; `B` in a shape is the symbolic batch, 2 when run. */
  readonly op: string;
  readonly inputs?: readonly Tensor[];
  /** These inputs have a symbolic first extent. */
  readonly batched?: readonly number[];
  /** Operands that are weights of the module instead of inputs, after the inputs. */
  readonly weights?: readonly Tensor[];
  readonly absent?: readonly number[];
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** A module of one op, as a case says. */
export function moduleOf({ op, inputs = [], batched = [], weights = [], attributes = {} }: Case): Module {
  const b = new Builder("test");
  const operands: Value[] = inputs.map((t, i) => {
    const shape: (Dim | number)[] = [...t.shape];
    if (batched.includes(i)) shape[0] = batch;
    return b.input(`in${i}`, type(t.element, shape));
  });
  weights.forEach((t, i) => {
    operands.push(b.weight(`w${i}`, t.shape.map(dim)));
  });
  const results = b.emitList(op, operands, attributes as never);
  const source: WeightSource = {
    has: (name) => /^w\d+$/.test(name),
    read: (name) => weights[Number(name.slice(1))]!,
  };
  const graph = b.finish(Object.fromEntries(results.map((v, i) => [`y${i}`, v])));
  return { dims: new Map([["B", batch]]), graphs: [graph], weights: source };
}
