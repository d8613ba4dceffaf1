// Normalisations and reductions on a device, with what is fused around them, at awkward sizes.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Builder } from "../../src/ir/build.js";
import { dim } from "../../src/ir/dim.js";
import type { Value } from "../../src/ir/graph.js";
import { type Case, judgeCase, makeCase } from "./case.js";
import { type Device, mainDriver, openDevice } from "./device.js";

let device: Device | undefined;
beforeAll(async () => {
  device = await openDevice(mainDriver);
});
afterAll(() => device?.close());

async function expectAgreement(cases: readonly Case[]): Promise<void> {
  if (device === undefined) return;
  for (const each of cases) expect((await judgeCase(device, each)).problems, each.name).toEqual([]);
}

const shapes = [
  [1, 1],
  [3, 5],
  [2, 7, 24],
  [97, 13],
  [2, 100],
  [1, 1500],
  [2, 2049],
];

test.each(["layer_norm", "rms_norm"] as const)("%s", async (name) => {
  await expectAgreement(
    shapes.map((shape) =>
      makeCase(`${shape}`, (b, input) => ({
        y: b.emit(
          name,
          { x: input("x", shape, { scale: 3 }), weight: input("weight", [shape[shape.length - 1]!]) },
          { epsilon: 1e-5 },
        ),
      })),
    ),
  );
});

test("l2_normalize", async () => {
  await expectAgreement(
    shapes.map((shape) =>
      makeCase(`${shape}`, (b, input) => ({
        y: b.emit("l2_normalize", { x: input("x", shape) }, { scale: 4 }),
      })),
    ),
  );
});

function everyAxis(build: (b: Builder, x: Value, axis: number) => Record<string, Value>): Case[] {
  return [
    [1, 1],
    [3, 5],
    [1, 1500],
    [3, 31, 16],
  ].flatMap((shape) =>
    shape.map((_, axis) =>
      makeCase(`${shape} axis ${axis}`, (b, input) => build(b, input("x", shape, { scale: 20 }), axis)),
    ),
  );
}

const modulated = (): Case[] =>
  [
    [2, 31, 24],
    [3, 5, 7],
    [1, 9, 256],
  ].map(([batch, length, width]) =>
    makeCase(`residual, norm, modulation ${batch}x${length}x${width}`, (b, input) => {
      const shape = [batch!, length!, width!];
      const sum = b.emit("add", { a: input("residual", shape), b: input("branch", shape) }, {}, "sum");
      const norm = b.emit(
        "layer_norm",
        { x: sum, weight: input("weight", [width!]), bias: input("bias", [width!]) },
        { epsilon: 1e-6 },
      );
      const factor = b.emit("scale", { x: input("scale", [1, 1, width!]) }, { offset: 1 });
      const scaled = b.emit("mul", { a: norm, b: factor }, {});
      return { sum, y: b.emit("add", { a: scaled, b: input("shift", [1, 1, width!]) }, {}) };
    }),
  );

test("a residual sum, its norm and its modulation are one kernel with two results", async () => {
  await expectAgreement(modulated());
});

test.each(["reduce_sum", "reduce_mean", "reduce_max"] as const)("%s along every axis", async (name) => {
  await expectAgreement(everyAxis((b, x, axis) => ({ y: b.emit(name, { x }, { axis }) })));
});

test("softmax along every axis", async () => {
  await expectAgreement(everyAxis((b, x, axis) => ({ y: b.emit("softmax", { x }, { axis }) })));
});

test("softmax of scaled scores with large values, reduction of squares", async () => {
  await expectAgreement([
    makeCase("scores", (b, input) => ({
      y: b.emit(
        "softmax",
        { x: b.emit("scale", { x: input("x", [7, 16], { scale: 1e4 }) }, { factor: 3 }) },
        { axis: 1 },
      ),
    })),
    makeCase("squares", (b, input) => {
      const x = input("x", [5, 31]);
      return {
        y: b.emit("reduce_sum", { x: b.emit("mul", { a: x, b: x }, {}) }, { axis: 1, keepdims: true }),
      };
    }),
  ]);
});

test("argmax takes the lowest index on a tie", async () => {
  const tied = [0, 3, 3, 1, -5, 3, 3, -1, 3, 0, 0, 3];
  await expectAgreement([
    ...[
      [1, 12],
      [3, 4],
      [12, 1],
    ].map((shape) =>
      makeCase(`tied ${shape}`, (b, input) => ({
        y: b.emit("argmax", { x: input("x", shape, { data: tied }) }, { axis: 1 }),
      })),
    ),
    makeCase("all equal", (b, input) => ({
      y: b.emit("argmax", { x: input("x", [2, 300], { data: Array(600).fill(-3e38) }) }, { axis: 1 }),
    })),
    ...[
      [2, 7, 24],
      [3, 1500],
      [5, 97],
    ].map((shape) =>
      makeCase(`${shape}`, (b, input) => ({
        y: b.emit("argmax", { x: input("x", shape) }, { axis: shape.length - 1 }),
      })),
    ),
    makeCase("axis 0", (b, input) => ({ y: b.emit("argmax", { x: input("x", [31, 5]) }, { axis: 0 }) })),
  ]);
});

test("top_mask takes the k largest, the lowest index of equals", async () => {
  const tied = [0, 3, 3, 1, -5, 3, 3, -1, 3, 0, 0, 3];
  await expectAgreement([
    ...[1, 3, 6, 12].map((k) =>
      makeCase(`${k} of tied`, (b, input) => ({
        y: b.emit("top_mask", { x: input("x", [1, 12], { data: tied }) }, { axis: 1, k }),
      })),
    ),
    makeCase("axis 0", (b, input) => ({
      y: b.emit("top_mask", { x: input("x", [31, 5]) }, { axis: 0, k: 7 }),
    })),
    makeCase("with what follows in the kernel", (b, input) => {
      const x = input("x", [2, 7, 24]);
      const zero = b.emit("literal", {}, { values: [0], shape: [dim(1)] });
      return {
        y: b.emit("where", { condition: b.emit("top_mask", { x }, { axis: 2, k: 5 }), a: x, b: zero }, {}),
      };
    }),
  ]);
});
