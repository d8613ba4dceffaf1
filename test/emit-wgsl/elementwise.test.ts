// Elementwise rules and views on a device, alone and in chains, at awkward sizes.

import { afterAll, beforeAll, expect, test } from "vitest";
import { dim as dimOf } from "../../src/ir/dim.js";
import type { Value } from "../../src/ir/graph.js";
import { count } from "../../src/ir/tensor.js";
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

const sizes = [[1], [3], [7, 13], [2, 31, 24], [1, 97], [5, 100]];
const unary = [
  "neg",
  "abs",
  "exp",
  "sin",
  "cos",
  "tanh",
  "erf",
  "sigmoid",
  "softplus",
  "relu",
  "silu",
] as const;

test.each(unary)("%s", async (name) => {
  await expectAgreement(
    sizes.flatMap((shape) =>
      [1, 8].map((scale) =>
        makeCase(`${name} ${shape} x${scale}`, (b, input) => ({
          y: b.emit(name, { x: input("x", shape, { scale }) }, {}),
        })),
      ),
    ),
  );
});

test("functions of large arguments stay finite", async () => {
  const data = [-3e38, -1e20, -1000, -200, -89, -44.5, -20, 0, 20, 44.5, 88, 200, 1000, 1e20, 3e38, 1e-30];
  const bounded = ["tanh", "erf", "sigmoid", "softplus", "silu"] as const;
  await expectAgreement([
    ...bounded.map((name) =>
      makeCase(name, (b, input) => ({ y: b.emit(name, { x: input("x", [4, 4], { data }) }, {}) })),
    ),
    ...(["none", "tanh"] as const).map((approximate) =>
      makeCase(`gelu ${approximate}`, (b, input) => ({
        y: b.emit("gelu", { x: input("x", [2, 8], { data }) }, { approximate }),
      })),
    ),
  ]);
});

test("log, square roots and quotients of positive numbers", async () => {
  await expectAgreement(
    sizes.map((shape) =>
      makeCase(`roots ${shape}`, (b, input) => {
        const x = b.emit("scale", { x: b.emit("abs", { x: input("x", shape) }, {}) }, { offset: 0.125 });
        return {
          log: b.emit("log", { x }, {}),
          sqrt: b.emit("sqrt", { x }, {}),
          rsqrt: b.emit("rsqrt", { x }, {}),
          quotient: b.emit("div", { a: input("a", shape), b: x }, {}),
        };
      }),
    ),
  );
});

test("sin and cos of the arguments that time features have", async () => {
  const data = Array.from({ length: 64 }, (_, i) => Math.fround(i * 15.87 - 40));
  await expectAgreement(
    (["sin", "cos"] as const).map((name) =>
      makeCase(name, (b, input) => ({ y: b.emit(name, { x: input("x", [64], { data }) }, {}) })),
    ),
  );
});

test("operands broadcast along any axis", async () => {
  const shapes = [[24], [31, 1], [2, 1, 24], [2, 31, 1], []];
  await expectAgreement(
    shapes.flatMap((shape) =>
      (["add", "mul"] as const).map((name) =>
        makeCase(`${name} ${shape}`, (b, input) => ({
          y: b.emit(name, { a: input("a", [2, 31, 24]), b: input("b", shape) }, {}),
        })),
      ),
    ),
  );
});

test("comparisons, selection and casts", async () => {
  await expectAgreement(
    [
      [5, 7],
      [4, 8],
    ].map((shape) =>
      makeCase(`select ${shape}`, (b, input) => {
        const a = input("a", shape, { element: "i32" });
        const c = input("c", shape, { element: "i32" });
        const x = input("x", shape, { scale: 9 });
        const mask = input("mask", [shape[0]!, 1], { element: "bool" });
        const same = b.emit("equal", { a, b: c }, {});
        return {
          same,
          smaller: b.emit("less", { a, b: c }, {}),
          picked: b.emit(
            "where",
            { condition: mask, a: x, b: b.emit("cast", { x: same }, { to: "f32" }) },
            {},
          ),
          whole: b.emit("cast", { x }, { to: "i32" }),
          odd: b.emit("cast", { x: a }, { to: "bool" }),
        };
      }),
    ),
  );
});

test("views are index arithmetic", async () => {
  const chains: Record<string, (b: Parameters<Parameters<typeof makeCase>[1]>[0], x: Value) => Value> = {
    reshape: (b, x) => b.emit("reshape", { x }, { shape: [6, 5, 4].map(dimOf) }),
    transpose: (b, x) => b.emit("transpose", { x }, { permutation: [2, 0, 1] }),
    slice: (b, x) => b.emit("slice", { x }, { axis: 1, start: dimOf(3), length: dimOf(5) }),
    reverse: (b, x) => b.emit("reverse", { x }, { axis: 1 }),
    pad: (b, x) => b.emit("pad", { x }, { axis: 1, before: dimOf(2), after: dimOf(3) }),
    broadcast: (b, x) =>
      b.emit(
        "broadcast",
        { x: b.emit("reshape", { x }, { shape: [1, 2, 15, 4].map(dimOf) }) },
        { shape: [3, 2, 15, 4].map(dimOf) },
      ),
    concat: (b, x) => b.emit("concat", { xs: [x, b.emit("neg", { x }, {}), x] }, { axis: 2 }),
    chain: (b, x) =>
      b.emit(
        "transpose",
        {
          x: b.emit(
            "pad",
            { x: b.emit("reverse", { x }, { axis: 2 }) },
            { axis: 2, before: dimOf(1), after: dimOf(0) },
          ),
        },
        { permutation: [1, 2, 0] },
      ),
  };
  await expectAgreement(
    Object.entries(chains).flatMap(([name, chain]) =>
      (["f32", "i32", "bool"] as const)
        .filter((element) => element === "f32" || name !== "concat")
        .map((element) =>
          makeCase(`${name} ${element}`, (b, input) => ({
            y: chain(b, input("x", [2, 15, 4], { element })),
          })),
        ),
    ),
  );
});

test("constants, positions and lookups", async () => {
  await expectAgreement([
    makeCase("constants", (b, input) => {
      const x = input("x", [3, 8]);
      const row = b.emit("iota", {}, { length: dimOf(8) });
      const few = b.emit("literal", {}, { values: [0.1, -2, 3], shape: [dimOf(3), dimOf(1)] });
      const one = b.emit("constant", {}, { value: 0.7 });
      const sum = b.emit("add", { a: b.emit("mul", { a: x, b: row }, {}), b: few }, {});
      return { y: b.emit("add", { a: sum, b: one }, {}) };
    }),
    ...[1, 24, 7].map((width) =>
      makeCase(`take ${width}`, (b, input) => ({
        y: b.emit(
          "take",
          {
            table: input("table", [13, width]),
            indices: input("indices", [2, 5], { element: "i32", below: 13 }),
          },
          {},
        ),
      })),
    ),
    ...[[4], [5, 4]].flatMap((rows) =>
      [7, 8].map((width) =>
        makeCase(`affine_step ${rows} of ${width}`, (b, input) => ({
          y: b.emit(
            "affine_step",
            {
              x0: input("x0", [2, 5, width]),
              x: input("x", [2, 5, width]),
              noise: input("noise", [2, 5, width]),
              coefficients: input("coefficients", rows, {
                data: Array.from({ length: count(rows) }, (_, i) => [0.5, 0.25, 0, 1.5][(i + (i >> 3)) % 4]!),
              }),
              x0_prev: input("x0_prev", [2, 5, width]),
            },
            {},
          ),
        })),
      ),
    ),
  ]);
});

test("rotary positions in both layouts, partial, after a prefix", async () => {
  await expectAgreement(
    [
      { shape: [2, 7, 24], heads: 3, rotary: 8, layout: "half", skip: 0 },
      { shape: [1, 13, 12], heads: 1, rotary: 6, layout: "half", skip: 2, turning: 2 },
      { shape: [2, 5, 16], heads: 2, rotary: 8, layout: "pair", skip: 0 },
      { shape: [1, 97, 10], heads: 1, rotary: 4, layout: "pair", skip: 1 },
    ].map(({ shape, heads, rotary, layout, skip, turning = 0 }) =>
      makeCase(`rope ${shape} ${layout}`, (b, input) => ({
        y: b.emit(
          "rope",
          { x: input("x", shape) },
          { heads, rotary, base: 10000, layout: layout as "half" | "pair", skip, turning },
        ),
      })),
    ),
  );
});

test("more operands or outputs than a stage has buffers become several dispatches", async () => {
  await expectAgreement([
    ...[0, 1].map((axis) =>
      makeCase(`concat of 17 along ${axis}`, (b, input) => ({
        y: b.emit(
          "concat",
          {
            xs: Array.from({ length: 17 }, (_, k) =>
              input(`x${k}`, axis === 0 ? [1 + (k % 3), 5] : [5, 1 + (k % 3)]),
            ),
          },
          { axis },
        ),
      })),
    ),
    makeCase("nine outputs", (b, input) => {
      const x = input("x", [7]);
      const outputs = Array.from(
        { length: 9 },
        (_, k) => [`y${k}`, b.emit("scale", { x }, { offset: k })] as const,
      );
      return Object.fromEntries(outputs);
    }),
  ]);
});
