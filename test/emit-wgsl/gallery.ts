// A handful of groups that every front end must take and people may read: their kernels are the snapshots.

import { dim } from "../../src/ir/dim.js";
import { type Case, makeCase } from "./case.js";
import { sequenceKernels } from "./fft-conv-gallery.js";

export const gallery: readonly Case[] = [
  makeCase("elementwise", (b, input) => {
    const x = input("x", [2, 5, 24]);
    const moved = b.emit("add", { a: b.emit("gelu", { x }, {}), b: input("shift", [2, 1, 24]) }, {});
    return {
      y: b.emit("where", { condition: input("mask", [2, 5, 1], { element: "bool" }), a: moved, b: x }, {}),
    };
  }),
  makeCase("views", (b, input) => {
    const x = input("x", [2, 15, 4]);
    const padded = b.emit(
      "pad",
      { x: b.emit("reverse", { x }, { axis: 1 }) },
      { axis: 1, before: dim(2), after: dim(3) },
    );
    return { y: b.emit("transpose", { x: padded }, { permutation: [0, 2, 1] }) };
  }),
  makeCase("embedding", (b, input) => ({
    x: b.emit(
      "take",
      { table: input("table", [13, 24]), indices: input("tokens", [2, 7], { element: "i32", below: 13 }) },
      {},
    ),
  })),
  makeCase("linear", (b, input) => {
    const x = b.emit("mul", { a: input("v", [2, 33, 24]), b: input("gate", [2, 33, 24]) }, {});
    const y = b.emit("linear", { x, weight: input("weight", [48, 24]), bias: input("bias", [48]) }, {});
    return { y: b.emit("add", { a: input("residual", [2, 33, 48]), b: b.emit("silu", { x: y }, {}) }, {}) };
  }),
  makeCase("linear-one-row", (b, input) => ({
    y: b.emit(
      "linear",
      { x: input("x", [1, 97]), weight: input("weight", [100, 97]), bias: input("bias", [100]) },
      {},
    ),
  })),
  makeCase("matmul", (b, input) => ({
    y: b.emit("matmul", { a: input("a", [3, 31, 13]), b: input("b", [3, 13, 7]) }, {}),
  })),
  makeCase("norm", (b, input) => {
    const sum = b.emit(
      "add",
      { a: input("residual", [2, 9, 24]), b: input("branch", [2, 9, 24]) },
      {},
      "sum",
    );
    const norm = b.emit("layer_norm", { x: sum, weight: input("weight", [24]) }, { epsilon: 1e-5 });
    const factor = b.emit("scale", { x: input("scale", [1, 1, 24]) }, { offset: 1 });
    return {
      sum,
      y: b.emit("add", { a: b.emit("mul", { a: norm, b: factor }, {}), b: input("shift", [1, 1, 24]) }, {}),
    };
  }),
  makeCase("softmax", (b, input) => ({ y: b.emit("softmax", { x: input("x", [5, 97]) }, { axis: 1 }) })),
  makeCase("argmax", (b, input) => ({ y: b.emit("argmax", { x: input("x", [5, 100]) }, { axis: 1 }) })),
  makeCase("top-mask", (b, input) => ({
    y: b.emit("top_mask", { x: input("x", [5, 12]) }, { axis: 1, k: 3 }),
  })),
  makeCase("nearest-row", (b, input) => ({
    y: b.emit("nearest_row", { x: input("x", [1, 7, 16]), table: input("table", [97, 16]) }, {}),
  })),
  makeCase("head", (b, input) => {
    const logits = b.emit(
      "linear",
      { x: input("x", [1, 7, 24]), weight: input("weight", [97, 24]) },
      {},
      "logits",
    );
    const table = input("table", [97, 16]);
    return {
      x0: b.emit("matmul", { a: b.emit("softmax", { x: logits }, { axis: 2 }), b: table }, {}),
      tokens: b.emit("argmax", { x: logits }, { axis: 2 }),
    };
  }),
  makeCase("rope", (b, input) => ({
    y: b.emit("rope", { x: input("x", [1, 7, 24]) }, { heads: 3, rotary: 8, base: 10000, layout: "half" }),
  })),
  ...sequenceKernels,
];
