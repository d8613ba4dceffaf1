// Random directed graphs of ops: values are read any number of times and in any order, some are outputs, which is
// what decides where fusion may happen. All of shape [1, 3, 8] or smaller, so that evaluation is quick.

import { Builder } from "../../src/ir/build.js";
import { dim } from "../../src/ir/dim.js";
import { type Module, noWeights, type Value } from "../../src/ir/graph.js";
import { seededTensor, seededUniform } from "../../src/ir/seeded.js";
import { type as irType } from "../../src/ir/type.js";

const shape = [1, 3, 8].map(dim);

export function randomGraph(seed: number, size: number): Module {
  const next = seededUniform(`graph ${seed}`);
  const draw = (n: number): number => Math.floor(next() * n);
  const b = new Builder("g");
  const time = b.input("time", irType("f32", [1, 320]));
  const values: Value[] = [b.input("x", irType("f32", shape)), b.input("z", irType("f32", shape))];
  const recent = (): Value => values[Math.max(0, values.length - 1 - draw(5))]!;
  const weights = new Set<string>();
  const weight = (extents: readonly number[]): Value => {
    const name = `blocks.${draw(3)}.w${extents.join("x")}`;
    weights.add(name);
    return b.weight(name, extents.map(dim));
  };
  for (let i = 0; i < size; i++) {
    const x = recent();
    const made = [
      () => b.emit("linear", { x, weight: weight([8, 8]) }, {}),
      () => b.emit("layer_norm", { x, weight: weight([8]) }, { epsilon: 1e-5 }),
      () => b.emit("softmax", { x }, { axis: 2 }),
      () => b.emit("add", { a: x, b: recent() }, {}),
      () => b.emit("mul", { a: x, b: recent() }, {}),
      () => b.emit("mul", { a: x, b: weight([8]) }, {}),
      () => b.emit("silu", { x }, {}),
      () => b.emit("scale", { x }, { factor: 0.5, offset: 1 }),
      () => b.emit("add", { a: x, b: b.emit("constant", {}, { value: 0.25 }) }, {}),
      () => b.emit("reshape", { x: b.emit("reshape", { x }, { shape: [dim(24)] }) }, { shape }),
      () =>
        b.emit(
          "transpose",
          { x: b.emit("transpose", { x }, { permutation: [0, 2, 1] }) },
          { permutation: [0, 2, 1] },
        ),
      () => {
        const part = b.emit(
          "slice",
          { x: time },
          { axis: 1, start: dim(64 * draw(4) + 3 * draw(2)), length: dim(8) },
        );
        return b.emit("mul", { a: x, b: part }, {});
      },
      () => {
        const half = (start: number) =>
          b.emit("slice", { x }, { axis: 2, start: dim(start), length: dim(4) });
        return b.emit("concat", { xs: [half(4), half(0)] }, { axis: 2 });
      },
      () => {
        const logits = b.emit("linear", { x, weight: weight([5, 8]) }, {});
        return b.emit("matmul", { a: b.emit("softmax", { x: logits }, { axis: 2 }), b: weight([5, 8]) }, {});
      },
    ];
    values.push(made[draw(made.length)]!());
  }
  const picked = values.filter((_, i) => i === values.length - 1 || (i > 2 && draw(8) === 0));
  const outputs = Object.fromEntries(picked.map((v, i) => [`y${i}`, v]));
  return {
    dims: new Map(),
    graphs: [b.finish(outputs)],
    weights: {
      ...noWeights,
      has: (name) => weights.has(name),
      read: (name) =>
        seededTensor(
          name,
          "f32",
          name
            .slice(name.indexOf("w") + 1)
            .split("x")
            .map(Number),
        ),
    },
  };
}
