// Matrix products on a device, with ops fused before and after, at awkward sizes.

import { afterAll, beforeAll, expect, test } from "vitest";
import { dim } from "../../src/ir/dim.js";
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

test.each([
  [1, 1, 1, 1],
  [1, 3, 5, 7],
  [2, 97, 24, 72],
  [1, 13, 31, 16],
  [1, 100, 7, 13],
  [1, 1, 97, 100],
  [3, 1, 64, 5],
  [1, 65, 100, 66],
])("linear of %i x %i rows, %i to %i", async (batch, length, width, out) => {
  await expectAgreement([
    makeCase("plain", (b, input) => ({
      y: b.emit(
        "linear",
        { x: input("x", [batch, length, width]), weight: input("weight", [out, width]) },
        {},
      ),
    })),
    makeCase("bias and residual", (b, input) => {
      const y = b.emit(
        "linear",
        {
          x: input("x", [batch, length, width]),
          weight: input("weight", [out, width]),
          bias: input("bias", [out]),
        },
        {},
      );
      return { y: b.emit("add", { a: input("residual", [batch, length, out]), b: y }, {}) };
    }),
  ]);
});

test("a gated input, an activation, modulation and gate around one product", async () => {
  await expectAgreement(
    [
      [2, 31, 24, 40],
      [1, 5, 7, 9],
      [1, 1, 24, 24],
    ].map(([batch, length, width, out]) =>
      makeCase(`${batch}x${length}x${width}x${out}`, (b, input) => {
        const x = b.emit(
          "mul",
          { a: input("v", [batch!, length!, width!]), b: input("g", [batch!, length!, width!]) },
          {},
        );
        const y = b.emit(
          "linear",
          { x, weight: input("weight", [out!, width!]), bias: input("bias", [out!]) },
          {},
        );
        const factor = b.emit("scale", { x: input("scale", [1, 1, out!]) }, { offset: 1 });
        const active = b.emit("gelu", { x: b.emit("mul", { a: y, b: factor }, {}) }, { approximate: "tanh" });
        const gated = b.emit("mul", { a: active, b: input("gate", [batch!, 1, out!]) }, {});
        return { y: b.emit("add", { a: input("residual", [batch!, length!, out!]), b: gated }, {}) };
      }),
    ),
  );
});

test("results stored transposed, reshaped and as two outputs", async () => {
  await expectAgreement(
    [
      [2, 16, 24],
      [1, 7, 13],
    ].map(([batch, length, width]) =>
      makeCase(`${batch}x${length}x${width}`, (b, input) => {
        const y = b.emit(
          "linear",
          { x: input("x", [batch!, length!, 8]), weight: input("weight", [width!, 8]) },
          {},
        );
        return {
          y,
          channels_first: b.emit(
            "transpose",
            { x: b.emit("silu", { x: y }, {}) },
            { permutation: [0, 2, 1] },
          ),
          flat: b.emit("reshape", { x: y }, { shape: [dim(batch! * length! * width!)] }),
        };
      }),
    ),
  );
});

test("a bias and a clamp in front of a transpose that keeps four neighbours together", async () => {
  await expectAgreement([
    makeCase("blocks", (b, input) => {
      const y = b.emit("matmul", { a: input("a", [4, 7, 8]), b: input("b", [4, 8, 8]) }, {});
      const sum = b.emit("sub", { a: input("other", [4, 7, 8]), b: y }, {});
      const shifted = b.emit("add", { a: sum, b: input("bias", [4, 1, 8]) }, {});
      const clamped = b.emit("relu", { x: shifted }, {});
      return { y: b.emit("transpose", { x: clamped }, { permutation: [1, 0, 2] }) };
    }),
  ]);
});

test.each([false, true])("matmul, transpose_b %s", async (transpose_b) => {
  const shapes = [
    { a: [1, 1], b: [1, 1], n: 1 },
    { a: [13, 31], b: [31], n: 7 },
    { a: [2, 16, 24], b: [2, 24], n: 20 },
    { a: [2, 1, 5, 8], b: [1, 3, 8], n: 12 },
    { a: [2, 97, 16], b: [16], n: 64 },
    { a: [33, 40], b: [40], n: 36 },
    { a: [9, 20], b: [3, 20], n: 5 },
  ];
  await expectAgreement(
    shapes.map(({ a, b: leading, n }) => {
      const k = leading[leading.length - 1]!;
      const matrix = transpose_b ? [n, k] : [k, n];
      return makeCase(`${a} by ${[...leading.slice(0, -1), ...matrix]}`, (b, input) => ({
        y: b.emit(
          "matmul",
          { a: input("a", a), b: input("b", [...leading.slice(0, -1), ...matrix]) },
          { transpose_b },
        ),
      }));
    }),
  );
});

test("large products go through workgroup memory", async () => {
  await expectAgreement([
    makeCase("linear, no width a multiple of four", (b, input) => {
      const y = b.emit("linear", { x: input("x", [1, 513, 261]), weight: input("weight", [503, 261]) }, {});
      return { y: b.emit("add", { a: y, b: input("residual", [1, 513, 503]) }, {}) };
    }),
    makeCase("linear", (b, input) => ({
      y: b.emit(
        "linear",
        { x: input("x", [516, 264]), weight: input("weight", [508, 264]), bias: input("bias", [508]) },
        {},
      ),
    })),
    makeCase("batched matmul", (b, input) => ({
      y: b.emit("matmul", { a: input("a", [3, 300, 260]), b: input("b", [3, 260, 300]) }, {}),
    })),
  ]);
});
