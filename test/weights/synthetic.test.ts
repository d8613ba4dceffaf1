// Synthetic weights: a pure function of seed, name and index, with the stated distributions.

import { expect, test } from "vitest";
import { layeredStore, memoryStore, type ParameterDeclaration } from "../../src/weights/store.js";
import { initOf, syntheticStore, syntheticValues } from "../../src/weights/synthetic.js";

function parameter(
  name: string,
  shape: readonly number[],
  rest: Partial<ParameterDeclaration> = {},
): ParameterDeclaration {
  return { name, shape, pointer: "", ...rest };
}

const linear = parameter("blocks.0.mixer.in_proj.weight", [64, 100]);

test("values depend on no other parameter and no order", () => {
  const bias = parameter("blocks.0.mixer.in_proj.bias", [64]);
  const alone = syntheticStore([linear], 7).read(linear.name);
  const together = syntheticStore([bias, linear], 7);
  together.read(bias.name);
  expect(together.read(linear.name)).toEqual(alone);
  expect([...together.names()]).toEqual([bias.name, linear.name]);
  expect(together.info(bias.name)).toEqual({ dtype: "F32", shape: [64] });
  expect(together.info("other")).toBeUndefined();
});

test("another seed or another name gives other values", () => {
  const first = (name: string, seed: number | bigint) => syntheticValues({ ...linear, name }, seed)[0];
  const values = [first("a.weight", 0), first("a.weight", 1), first("b.weight", 0), first("a.weigth", 0)];
  expect(new Set(values).size).toBe(4);
  expect(first("a.weight", 2n ** 64n - 1n)).not.toBe(first("a.weight", 0));
});

test("every value is a float32 number", () => {
  for (const value of syntheticValues(linear, 3)) expect(Math.fround(value)).toBe(value);
});

test.each([
  ["linear", linear, 0, 1 / 10],
  ["a head", parameter("head.weight", [200, 64]), 0, 1 / 8],
  ["gain", { ...linear, gain: 0.5 }, 0, 1 / 20],
  ["a bias", parameter("head.bias", [6400]), 0, 0.02],
  ["a norm", parameter("blocks.3.norm2.weight", [6400]), 1, 0.1],
  ["an embedding", parameter("embedding.table", [100, 64]), 0, 1],
  ["explicit taps [T, G]", parameter("blocks.0.mixer.filters.0.taps", [400, 16]), 0, 1 / 20],
  ["a short convolution [C, taps]", parameter("blocks.0.mixer.short_conv.weight", [1600, 4]), 0, 1 / 2],
  ["a skip term", parameter("blocks.0.mixer.skip.0", [6400]), 1, 0.1],
  ["a frequency", parameter("blocks.0.mixer.filters.0.frequency", [6400]), 1, 0.1],
  ["a block-diagonal layer [blocks, out, in]", parameter("blocks.0.ffn.up.weight", [4, 100, 16]), 0, 1 / 4],
  ["modulation", parameter("blocks.0.ada_ln.bias", [6400]), 0, 0.1],
  ["modulation [out, in]", parameter("blocks.0.ada_ln.weight", [64, 100], { init: "modulation" }), 0, 1 / 20],
] as const)("mean and deviation of %s", (_, declaration, mean, deviation) => {
  const values = syntheticValues(declaration, 11);
  const n = values.length;
  const average = values.reduce((sum, x) => sum + x, 0) / n;
  const variance = values.reduce((sum, x) => sum + (x - average) ** 2, 0) / n;
  // Standard errors of mean and deviation of n normal draws: s/sqrt(n), s/sqrt(2n); five of them.
  expect(Math.abs(average - mean)).toBeLessThan((5 * deviation) / Math.sqrt(n));
  expect(Math.abs(Math.sqrt(variance) - deviation)).toBeLessThan((5 * deviation) / Math.sqrt(2 * n));
});

test("Hyena's decay rates, times and position features", () => {
  const f = Math.fround;
  // ln(100)/1.5 to ln(100)/0.3: a slow channel falls to 1% after 1.5 lengths, a fast one after 0.3.
  expect([...syntheticValues(parameter("filters.0.deltas", [3]), 1)]).toEqual([
    f(3.070113457325394),
    f(9.210340371976182),
    f(15.35056728662697),
  ]);
  expect([...syntheticValues(parameter("filters.0.times", [3]), 1)]).toEqual([0, 0.5, 1]);
  // emb_dim 3: one band of frequency 1e-4; position 1 of 2: angle 2 pi 1e-4 / 2.
  expect([...syntheticValues(parameter("filters.0.features", [2, 3]), 1)]).toEqual([
    0,
    1,
    -0,
    1,
    f(0.9999999506519786),
    f(-0.000314159260191213),
  ]);
});

test("roles from canonical names", () => {
  const roles: Readonly<Record<string, string>> = {
    "embedding.table": "embedding",
    "embedding.positions": "positions",
    "embedding.in_proj.0.weight": "linear",
    "embedding.norm.weight": "norm",
    "embedding.norm.bias": "bias",
    "final_norm.weight": "norm",
    "final_ada_ln.weight": "linear",
    "final_ada_ln.bias": "modulation",
    "blocks.2.mixer.filters.1.reverse.taps": "taps",
    "blocks.2.mixer.filters.1.mlp.0.weight": "linear",
    "blocks.2.mixer.residual_conv.skip": "skip",
    "short_conv.bias": "bias",
  };
  for (const [name, role] of Object.entries(roles)) expect(`${name} ${initOf(name)}`).toBe(`${name} ${role}`);
});

test("layers: the first store that has a name answers", () => {
  const own = memoryStore({ "head.bias": { element: "f32", shape: [2], data: Float64Array.of(1, 2) } });
  const store = layeredStore(own, syntheticStore([linear, parameter("head.bias", [2])], 1));
  expect([...store.names()]).toEqual(["head.bias", linear.name]);
  expect([...store.read("head.bias").data]).toEqual([1, 2]);
  expect(store.info(linear.name)?.shape).toEqual([64, 100]);
  expect(() => store.read("toString")).toThrow(/never declared/);
});
