// The kernels of the gallery under lavapipe, and the paths that need f16 or subgroups, at several subgroup sizes.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Features } from "../../src/emit-wgsl/limits.js";
import { type Case, judgeCase, makeCase } from "./case.js";
import { type Device, openDevice } from "./device.js";
import { gallery } from "./gallery.js";

const half = { element: "f16" } as const;

const halves: readonly Case[] = [
  [31, 24, 40],
  [2, 13, 7],
].map(([rows, width, out]) =>
  makeCase(`f16 linear ${rows}x${width}x${out}`, (b, input) => {
    const x = input("x", [rows!, width!], half);
    const y = b.emit("linear", { x, weight: input("weight", [out!, width!], half) }, {});
    return { y: b.emit("add", { a: y, b: input("residual", [rows!, out!], half) }, {}) };
  }),
);

const rowsOf = (name: string): readonly Case[] =>
  [
    [3, 100],
    [5, 256],
    [1, 2049],
    [4, 1028],
  ].flatMap(([rows, width]) => [
    makeCase(`${name} norm ${rows}x${width}`, (b, input) => ({
      y: b.emit("layer_norm", { x: input("x", [rows!, width!]) }, { epsilon: 1e-5 }),
    })),
    makeCase(`${name} softmax ${rows}x${width}`, (b, input) => ({
      y: b.emit("softmax", { x: input("x", [rows!, width!], { scale: 20 }) }, { axis: 1 }),
    })),
  ]);

/** LLVM takes a minute or more over these; SwiftShader runs them in fft-conv.test.ts. */
const slowToCompile = new Set(["fft-conv-split"]);

/** Bits of lavapipe's vectors: subgroups of 4, 8 and 16. */
describe.each(["128", "256", "512"])("lavapipe, vectors of %s bits", (bits) => {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openDevice("lavapipe", undefined, { LP_NATIVE_VECTOR_WIDTH: bits });
  });
  afterAll(() => device?.close());

  const run = async (cases: readonly Case[], features: Features): Promise<void> => {
    if (device === undefined) return;
    for (const each of cases)
      expect((await judgeCase(device, each, features)).problems, each.name).toEqual([]);
  };

  test("subgroups", async () => {
    if (device !== undefined) expect(device.features).toContain("subgroups");
    await run(rowsOf(bits), { f16: false, subgroups: true });
  });

  // Narrow vectors compile fastest.
  if (bits !== "128") return;

  test("half-precision storage, float32 arithmetic", async () => {
    if (device !== undefined) expect(device.features).toContain("shader-f16");
    await run(halves, { f16: true, subgroups: false });
  });

  test.each(
    gallery.filter((c) => !slowToCompile.has(c.name)).map((c) => [c.name, c] as const),
  )("%s", async (_, each) => {
    await run([each], { f16: false, subgroups: false });
  });
});
