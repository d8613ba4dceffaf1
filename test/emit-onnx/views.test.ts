// Views whose extents are free at run time.
import { expect, test } from "vitest";
import { emitOnnx } from "../../src/emit-onnx/emit.js";
import { Builder } from "../../src/ir/build.js";
import { Dim, dim } from "../../src/ir/dim.js";
import { type Module, noWeights } from "../../src/ir/graph.js";
import { type } from "../../src/ir/type.js";
import { batch } from "./op-case.js";
import { emitOptions, expectAgreement, numbers } from "./ort.js";

test("views of two free extents, and a broadcast that needs no size", async () => {
  const free = Dim.symbol("T");
  const b = new Builder("test");
  const x = b.input("x", type("f32", [batch, 1, free]));
  const turned = b.emit("transpose", { x }, { permutation: [1, 0, 2] });
  const repeated = b.emit("broadcast", { x }, { shape: [batch, dim(3), free] });
  const module: Module = { dims: new Map(), graphs: [b.finish({ turned, repeated })], weights: noWeights };
  const nodes = emitOnnx([{ module }], emitOptions).graphs[0]!.model.graph.node.map((n) => n.opType);
  expect(nodes).toEqual(["Transpose", "Expand"]);
  await expectAgreement(module, [numbers(1, [2, 1, 3])]);
});
