// Attention on a device: tiles that do not divide the length, causal masks, shared keys, rotated queries, and
// scores so large that only the running maximum keeps exp finite.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Builder } from "../../src/ir/build.js";
import { dim } from "../../src/ir/dim.js";
import type { Value } from "../../src/ir/graph.js";
import type { AttentionMask } from "../../src/ir/ops/attention.js";
import { type Case, judgeCase, makeCase } from "./case.js";
import { type Device, openDevice } from "./device.js";

let device: Device | undefined;
beforeAll(async () => {
  device = await openDevice("swiftshader");
});
afterAll(() => device?.close());

interface Shape {
  readonly length: number;
  readonly heads: number;
  readonly size: number;
  readonly shared?: number;
  readonly mask?: AttentionMask["mask"];
  readonly span?: number;
  readonly window?: number;
  readonly keys?: number;
  readonly scale?: number;
  /** Whether some keys are hidden; of the second row all. */
  readonly hides?: boolean;
  /** Whether scores have a bias by distance. */
  readonly biased?: boolean;
}

function made(shape: Shape, turn: (b: Builder, x: Value) => Value = (_, x) => x): Case {
  const {
    length,
    heads,
    size,
    shared = heads,
    mask = "full",
    keys = length,
    scale = 1,
    hides = false,
    biased = false,
  } = shape;
  const { span = 1, window = 0 } = shape;
  const shown = Array.from({ length: 2 * keys }, (_, i) => (i < keys && i % 3 === 1 ? 1 : 0));
  return makeCase(JSON.stringify(shape), (b, input) => ({
    y: b.emit(
      "attention",
      {
        q: turn(b, input("q", [2, length, heads * size], { scale })),
        k: turn(b, input("k", [2, keys, shared * size], { scale })),
        v: input("v", [2, keys, shared * size]),
        visible: hides ? input("visible", [2, keys], { element: "bool", data: shown }) : undefined,
        bias: biased ? input("bias", [heads, length + keys - 1], { scale: 2 }) : undefined,
      },
      { heads, kv_heads: shared, scale: 1 / Math.sqrt(size), mask, span, window },
    ),
  }));
}

const shapes: readonly Shape[] = [
  { length: 1, heads: 1, size: 1 },
  { length: 3, heads: 2, size: 5, mask: "causal" },
  { length: 97, heads: 2, size: 8 },
  { length: 97, heads: 4, size: 6, shared: 2, mask: "causal" },
  { length: 33, heads: 3, size: 16, shared: 1, keys: 70 },
  { length: 40, heads: 1, size: 64 },
  { length: 34, heads: 1, size: 128, mask: "causal" },
  { length: 31, heads: 2, size: 8, scale: 30 },
  { length: 97, heads: 2, size: 6, mask: "canvas", span: 31 },
  { length: 97, heads: 4, size: 8, shared: 2, mask: "canvas", span: 29, window: 11 },
  { length: 5, heads: 1, size: 4, mask: "canvas", span: 5, window: 1 },
  // Blocks and windows that begin in one tile of keys and end in another.
  { length: 97, heads: 2, size: 8, mask: "block_causal", span: 12 },
  { length: 70, heads: 2, size: 8, mask: "sliding", span: 20 },
  { length: 5, heads: 2, size: 3, keys: 37, hides: true, scale: 20 },
  { length: 33, heads: 2, size: 128, shared: 1, keys: 7, hides: true },
  { length: 37, heads: 4, size: 6, shared: 2, biased: true },
  { length: 35, heads: 2, size: 8, keys: 41, hides: true, biased: true },
  { length: 70, heads: 2, size: 8, mask: "sliding", span: 20, biased: true },
];

test.each(shapes.map((shape) => [JSON.stringify(shape), shape] as const))("%s", async (_, shape) => {
  if (device === undefined) return;
  expect((await judgeCase(device, made(shape))).problems).toEqual([]);
});

test("rotated where they are loaded, from one qkv buffer", async () => {
  if (device === undefined) return;
  const fused = makeCase("qkv", (b, input) => {
    const qkv = input("qkv", [1, 37, 48]);
    const part = (start: number) =>
      b.emit("slice", { x: qkv }, { axis: 2, start: dim(start), length: dim(16) });
    const rotated = (x: Value) => b.emit("rope", { x }, { heads: 2, rotary: 6, base: 10000, layout: "half" });
    return {
      y: b.emit(
        "attention",
        { q: rotated(part(0)), k: rotated(part(16)), v: part(32) },
        { heads: 2, kv_heads: 2, scale: 0.35, mask: "full" },
      ),
    };
  });
  expect((await judgeCase(device, fused)).problems).toEqual([]);
});
