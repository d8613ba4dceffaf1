// Every lowering on ONNX Runtime CPU against the op's float64 definition, at small and awkward sizes.
import { describe, expect, test } from "vitest";
import { emitOnnx } from "../../src/emit-onnx/emit.js";
import { onnxOps } from "../../src/emit-onnx/lowerings/index.js";
import { Builder } from "../../src/ir/build.js";
import { dim } from "../../src/ir/dim.js";
import type { Module } from "../../src/ir/graph.js";
import { ops } from "../../src/ir/ops/index.js";
import type { Tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";
import { batch, type Case, moduleOf } from "./op-case.js";
import { emitOptions, expectAgreement, numbers } from "./ort.js";

const tested = new Set<string>();

function agrees(name: string, cases: Readonly<Record<string, Omit<Case, "op">>>): void {
  tested.add(name);
  describe(name, () => {
    for (const [title, rest] of Object.entries(cases)) {
      test(title, async () => {
        const c = { ...rest, op: name };
        await expectAgreement(moduleOf(c), c.inputs ?? []);
      });
    }
  });
}

const x3 = numbers(1, [2, 5, 7], "f32", 3);
const positive: Tensor = { ...x3, data: x3.data.map((v) => Math.fround(Math.abs(v) + 0.125)) };

for (const name of ["neg", "abs", "exp", "sin", "cos", "tanh", "erf", "sigmoid", "softplus", "relu", "silu"])
  agrees(name, { "batch 2": { inputs: [x3], batched: [0] }, scalar: { inputs: [numbers(2, [])] } });
for (const name of ["log", "sqrt", "rsqrt"]) agrees(name, { positive: { inputs: [positive], batched: [0] } });
agrees("gelu", {
  erf: { inputs: [x3], batched: [0] },
  tanh: { inputs: [x3], attributes: { approximate: "tanh" } },
});
agrees("scale", {
  both: { inputs: [x3], batched: [0], attributes: { factor: 0.75, offset: -2 } },
  "factor only": { inputs: [x3], attributes: { factor: 3 } },
  nothing: { inputs: [x3], attributes: {} },
});

const pairs = {
  equal: { inputs: [x3, numbers(3, [2, 5, 7], "f32", 3)], batched: [0, 1] },
  "row against batch": { inputs: [x3, numbers(4, [7])], batched: [0] },
  column: { inputs: [numbers(5, [5, 1]), x3], batched: [1] },
};
for (const name of ["add", "sub", "mul", "maximum", "minimum"])
  agrees(name, { ...pairs, integers: { inputs: [numbers(6, [3], "i32", 9), numbers(7, [2, 3], "i32", 9)] } });
agrees("div", { denominators: { inputs: [x3, positive] } });
for (const name of ["equal", "less"])
  agrees(name, {
    reals: { inputs: [x3, { ...x3, data: x3.data.map((v, i) => (i % 2 ? v : -v)) }] },
    tokens: { inputs: [numbers(8, [2, 13], "i32", 3), numbers(9, [2, 13], "i32", 3)], batched: [0, 1] },
  });
for (const name of ["add", "sub", "mul"])
  agrees(name, { complex: { inputs: [numbers(10, [2, 3, 5], "c64"), numbers(11, [3, 1], "c64")] } });
agrees("where", {
  mask: { inputs: [numbers(12, [2, 5, 1], "bool"), x3, numbers(13, [2, 5, 7])], batched: [0, 1, 2] },
  tokens: { inputs: [numbers(12, [13], "bool"), numbers(14, [13], "i32", 50), numbers(15, [], "i32", 50)] },
  bools: { inputs: [numbers(16, [31], "bool"), numbers(17, [31], "bool"), numbers(18, [31], "bool")] },
});
agrees("cast", {
  truncates: { inputs: [x3], attributes: { to: "i32" } },
  "real to bool": {
    inputs: [{ ...x3, data: x3.data.map((v, i) => (i % 3 ? v : 0)) }],
    attributes: { to: "bool" },
  },
  "i32 to real": { inputs: [numbers(19, [16], "i32", 99)], attributes: { to: "f32" } },
  "bool to i32": { inputs: [numbers(19, [16], "bool")], attributes: { to: "i32" } },
  same: { inputs: [x3], attributes: { to: "f32" } },
});

for (const name of ["reduce_sum", "reduce_mean", "reduce_max"])
  agrees(name, {
    last: { inputs: [x3], batched: [0], attributes: { axis: 2 } },
    "middle, kept": { inputs: [x3], batched: [0], attributes: { axis: 1, keepdims: true } },
  });
const tied = { ...numbers(20, [4, 13]), data: Float64Array.from({ length: 52 }, (_, i) => (i * 7) % 3) };
agrees("argmax", {
  last: { inputs: [x3], batched: [0], attributes: { axis: 2 } },
  "ties take the lowest": { inputs: [tied], attributes: { axis: 1 } },
});
agrees("top_mask", {
  last: { inputs: [x3], batched: [0], attributes: { axis: 2, k: 2 } },
  "ties take the lowest": { inputs: [tied], attributes: { axis: 1, k: 6 } },
});
agrees("softmax", {
  last: { inputs: [x3], batched: [0], attributes: { axis: 2 } },
  middle: { inputs: [numbers(21, [2, 16, 3], "f32", 30)], attributes: { axis: 1 } },
});
agrees("reshape", {
  "splits channels": {
    inputs: [numbers(22, [2, 5, 6])],
    batched: [0],
    attributes: { shape: [batch, dim(5), dim(3), dim(2)] },
  },
  "merges the batch": {
    inputs: [numbers(22, [2, 5, 6])],
    batched: [0],
    attributes: { shape: [batch.times(5), dim(6)] },
  },
  complex: { inputs: [numbers(22, [2, 6], "c64")], attributes: { shape: [dim(3), dim(4)] } },
});
agrees("transpose", {
  "three axes": { inputs: [x3], batched: [0], attributes: { permutation: [2, 0, 1] } },
  "only ones move": { inputs: [numbers(23, [5, 1, 7])], attributes: { permutation: [1, 0, 2] } },
  complex: { inputs: [numbers(23, [5, 3], "c64")], attributes: { permutation: [1, 0] } },
});
agrees("broadcast", {
  numeric: { inputs: [numbers(24, [1, 7])], attributes: { shape: [dim(2), dim(5), dim(7)] } },
  "keeps the batch": {
    inputs: [numbers(24, [2, 1, 7])],
    batched: [0],
    attributes: { shape: [batch, dim(3), dim(7)] },
  },
});
agrees("slice", {
  inner: { inputs: [x3], batched: [0], attributes: { axis: 1, start: dim(1), length: dim(3) } },
  whole: { inputs: [x3], attributes: { axis: 2, start: dim(0), length: dim(7) } },
});
agrees("concat", {
  channels: { inputs: [x3, numbers(25, [2, 5, 3])], batched: [0, 1], attributes: { axis: 2 } },
  one: { inputs: [x3], attributes: { axis: 0 } },
});
agrees("pad", {
  both: { inputs: [x3], batched: [0], attributes: { axis: 1, before: dim(2), after: dim(3) } },
});
agrees("reverse", {
  sequence: { inputs: [x3], batched: [0], attributes: { axis: 1 } },
  "one element": { inputs: [numbers(26, [1, 3])], attributes: { axis: 0 } },
});
test("take", async () => {
  tested.add("take");
  const b = new Builder("test");
  const indices = b.input("tokens", type("i32", [batch, 5]));
  const y = b.emit("take", { table: b.weight("w0", [dim(11), dim(3)]), indices }, {});
  const weights = { has: () => true, read: () => numbers(27, [11, 3]) };
  await expectAgreement({ dims: new Map(), graphs: [b.finish({ y })], weights }, [
    numbers(28, [2, 5], "i32", 11),
  ]);
});

agrees("matmul", {
  "batched left": { inputs: [x3, numbers(28, [7, 3])], batched: [0] },
  "broadcast left, as in Monarch stages": {
    inputs: [numbers(29, [4, 3, 5]), numbers(30, [2, 4, 5, 6])],
    batched: [1],
  },
  transposed: { inputs: [x3, numbers(31, [2, 3, 7])], batched: [0, 1], attributes: { transpose_b: true } },
  "transposed weight": {
    inputs: [x3],
    batched: [0],
    weights: [numbers(32, [13, 7])],
    attributes: { transpose_b: true },
  },
});
agrees("linear", {
  "weights with bias": { inputs: [x3], batched: [0], weights: [numbers(33, [13, 7]), numbers(34, [13])] },
  "no bias": { inputs: [x3], batched: [0], weights: [numbers(33, [1, 7])] },
  rows: { inputs: [numbers(35, [2, 31])], batched: [0], weights: [numbers(36, [16, 31]), numbers(37, [16])] },
  vector: { inputs: [numbers(35, [31])], weights: [numbers(36, [16, 31]), numbers(37, [16])] },
  "computed weight": { inputs: [x3, numbers(38, [13, 7]), numbers(39, [13])], batched: [0] },
  "computed weight, vector": { inputs: [numbers(35, [7]), numbers(38, [13, 7])] },
});

const width13 = numbers(40, [2, 3, 13], "f32", 2);
agrees("layer_norm", {
  affine: {
    inputs: [width13],
    batched: [0],
    weights: [numbers(41, [13]), numbers(42, [13])],
    attributes: { epsilon: 1e-5 },
  },
  plain: { inputs: [width13], batched: [0], attributes: { epsilon: 1e-12 } },
});
agrees("rms_norm", {
  weight: { inputs: [width13], batched: [0], weights: [numbers(41, [13])], attributes: { epsilon: 1e-6 } },
  plain: { inputs: [width13], batched: [0], attributes: { epsilon: 1e-6 } },
});
agrees("l2_normalize", {
  scaled: { inputs: [width13], batched: [0], attributes: { scale: 4 } },
  unit: { inputs: [width13], batched: [0] },
  "shorter than epsilon": { inputs: [width13], attributes: { scale: 4, epsilon: 100 } },
  "negative scale": { inputs: [width13], attributes: { scale: -2, epsilon: 1 } },
  zeros: { inputs: [{ ...width13, data: new Float64Array(78) }] },
});

const heads = (n: number) => numbers(50, [2, n, 12]);
agrees("attention", {
  full: {
    inputs: [heads(7), numbers(51, [2, 7, 12]), numbers(52, [2, 7, 12])],
    batched: [0, 1, 2],
    attributes: { heads: 3, kv_heads: 3, scale: 0.5 },
  },
  causal: {
    inputs: [heads(5), numbers(51, [2, 5, 12]), numbers(52, [2, 5, 12])],
    batched: [0, 1, 2],
    attributes: { heads: 2, kv_heads: 2, scale: 1, mask: "causal" },
  },
  "shared keys": {
    inputs: [heads(5), numbers(51, [2, 5, 6]), numbers(52, [2, 5, 6])],
    batched: [0, 1, 2],
    attributes: { heads: 4, kv_heads: 2, scale: 0.5, mask: "canvas", span: 3, window: 2 },
  },
  "other key length": {
    inputs: [heads(3), numbers(51, [2, 5, 12]), numbers(52, [2, 5, 12])],
    batched: [0, 1, 2],
    attributes: { heads: 1, kv_heads: 1, scale: 0.3 },
  },
});
agrees("rope", {
  half: {
    inputs: [numbers(53, [2, 7, 12])],
    batched: [0],
    attributes: { heads: 3, rotary: 4, base: 10000, layout: "half" },
  },
  "pair, partial": {
    inputs: [numbers(53, [2, 7, 12])],
    batched: [0],
    attributes: { heads: 2, rotary: 4, base: 100, layout: "pair", turning: 1 },
  },
  "half, partial, skipping": {
    inputs: [numbers(53, [2, 7, 12])],
    batched: [0],
    attributes: { heads: 2, rotary: 2, base: 100, layout: "half", skip: 2 },
  },
});

const conv = (taps: number, groups: number, attributes: object, length = 7, width = 6) => ({
  inputs: [numbers(60, [2, length, width])],
  batched: [0],
  weights: [numbers(61, [taps, groups])],
  attributes: { ...attributes },
});
agrees("long_conv", {
  causal: conv(3, 6, { lag0: 0 }),
  "bidirectional, longer than the sequence": conv(13, 6, { lag0: 6 }),
  "taps far longer than the sequence": conv(31, 2, { lag0: 16 }, 5),
  "shared filters": conv(5, 2, { lag0: 2 }),
  "one filter, one tap": conv(1, 1, { lag0: 0 }),
  circular: conv(7, 6, { lag0: 0, circular: true }),
  "circular, wraps twice": conv(16, 3, { lag0: 5, circular: true }, 5),
  "modulus is ignored": conv(7, 6, { lag0: 3, length: dim(8) }),
  "computed taps": {
    inputs: [numbers(60, [2, 7, 6]), numbers(62, [5, 3])],
    batched: [0],
    attributes: { lag0: 1 },
  },
  "with skip": {
    inputs: [numbers(60, [2, 7, 6])],
    batched: [0],
    weights: [numbers(61, [4, 6]), numbers(63, [6])],
    attributes: { lag0: 0 },
  },
});

const states = [70, 71, 72].map((seed) => numbers(seed, [2, 3, 5]));
agrees("affine_step", {
  "no history": { inputs: [...states, numbers(73, [4])], batched: [0, 1, 2] },
  history: { inputs: [...states, numbers(73, [4]), numbers(74, [2, 3, 5])], batched: [0, 1, 2, 4] },
  positions: { inputs: [...states, numbers(73, [3, 4])], batched: [0, 1, 2] },
});
agrees("nearest_row", {
  "computed table": { inputs: [numbers(75, [2, 5, 3]), numbers(76, [31, 3])], batched: [0] },
  "constant table": { inputs: [numbers(75, [2, 5, 3])], batched: [0], weights: [numbers(76, [31, 3])] },
});

agrees("constant", {
  small: { attributes: { value: 0.1, shape: [dim(3)] } },
  large: { attributes: { value: -2, shape: [dim(7), dim(31)] } },
  tokens: { attributes: { value: 5, element: "i32", shape: [] } },
});
agrees("literal", { table: { attributes: { values: [1, -0.5, 2, 3, 0.1, 7], shape: [dim(2), dim(3)] } } });
agrees("iota", {
  reals: { attributes: { length: dim(13) } },
  "stored outside": { attributes: { length: dim(1000), element: "i32" } },
});

agrees("depthwise_conv", {
  causal: {
    inputs: [numbers(64, [2, 3, 7])],
    batched: [0],
    weights: [numbers(65, [3, 4])],
    attributes: { before: 3, after: 0 },
  },
  valid: {
    inputs: [numbers(64, [2, 3, 7])],
    batched: [0],
    weights: [numbers(65, [3, 4])],
    attributes: { before: 0, after: 0 },
  },
});
for (const form of ["right_angle", "packed_circular"])
  agrees("fft_matrix", {
    [`${form} forward`]: { attributes: { form, factors: [4, 3], rows: 4, stage: 1, direction: "forward" } },
    "inverse, fewer rows": { attributes: { form, factors: [4, 3], rows: 2, stage: 0, direction: "inverse" } },
  });
for (const direction of ["forward", "inverse"])
  for (const length of [1, 9, 12])
    agrees("dft_matrix", {
      [`${direction} ${length}`]: { attributes: { length, bins: Math.ceil(length / 2), direction } },
    });
const spectrum = { form: "right_angle", factors: [4, 3], lag0: 2, length: dim(10) };
agrees("fft_spectrum", {
  taps: { weights: [numbers(66, [5, 2])], attributes: spectrum },
  "taps, skip and scale": {
    weights: [numbers(66, [5, 2]), numbers(67, [4]), numbers(68, [4])],
    attributes: spectrum,
  },
});
for (const [n, samples] of [
  [1, 1],
  [2, 2],
  [7, 7],
  [16, 13],
] as const) {
  agrees("rfft", {
    [`${n}, last axis`]: {
      inputs: [numbers(90, [2, samples])],
      batched: [0],
      attributes: { axis: 1, length: dim(n) },
    },
    [`${n}, middle axis`]: {
      inputs: [numbers(90, [2, samples, 3])],
      batched: [0],
      attributes: { axis: 1, length: dim(n) },
    },
    [`${n}, one line`]: { inputs: [numbers(90, [samples])], attributes: { axis: 0, length: dim(n) } },
  });
  const bins = Math.floor(n / 2) + 1;
  agrees("irfft", {
    [`${n}, last axis`]: {
      inputs: [numbers(91, [2, bins], "c64")],
      batched: [0],
      attributes: { axis: 1, length: dim(n) },
    },
    [`${n}, middle axis`]: {
      inputs: [numbers(91, [2, bins, 3], "c64")],
      batched: [0],
      attributes: { axis: 1, length: dim(n) },
    },
  });
  for (const profile of ["standard", "cpu"] as const)
    test(`rfft and irfft of ${n} as DFT, profile ${profile}`, async () => {
      const bound = { axis: 1, length: dim(n) };
      for (const [op, x] of [
        ["rfft", numbers(90, [2, samples, 3])],
        ["irfft", numbers(91, [2, bins, 3], "c64")],
      ] as const) {
        const module = moduleOf({ op, inputs: [x], batched: [0], attributes: bound });
        const { model } = emitOnnx([{ module }], { ...emitOptions, dft: true, profile }).graphs[0]!;
        expect(model.graph.node.map((node) => node.opType)).toContain("DFT");
        expect(model.opsetImport[0]!.version).toBe(profile === "cpu" ? 20 : 18);
        await expectAgreement(module, [x], { dft: true, profile });
      }
    });
}

test("fft_spectrum of an expression of constants", async () => {
  const b = new Builder("test");
  const taps = b.emit("scale", { x: b.weight("w0", [dim(5), dim(2)]) }, { factor: 0.5 });
  const y = b.emit("fft_spectrum", { taps }, spectrum as never);
  const weights = { has: () => true, read: () => numbers(66, [5, 2]) };
  await expectAgreement({ dims: new Map(), graphs: [b.finish({ y })], weights }, []);
});

test("weight and call", async () => {
  tested.add("call").add("weight");
  const callee = new Builder("double");
  const v = callee.input("v", type("f32", [batch, 3]));
  const double = callee.finish({ y: callee.emit("add", { a: v, b: v }, {}) });
  const b = new Builder("test", [double]);
  const x = b.input("x", type("f32", [batch, 3]));
  const [once] = b.emitList("call", [x], { graph: "double" });
  const [twice] = b.emitList("call", [once!], { graph: "double" });
  const sum = b.emit("add", { a: twice!, b: b.weight("w0", [dim(3)]) }, {});
  const weights = { has: () => true, read: () => numbers(81, [3]) };
  const graph = b.finish({ same: x, sum, again: sum, raw: b.weight("w0", [dim(3)]) });
  const module: Module = { dims: new Map([["B", batch]]), graphs: [double, graph], weights };
  await expectAgreement(module, [numbers(80, [2, 3])]);
});

test("every op has a lowering and a test", () => {
  // fft_conv is made by other targets' pipelines only.
  const lowered = Object.keys(ops)
    .filter((name) => name !== "fft_conv")
    .sort();
  expect([...onnxOps].sort()).toEqual(lowered);
  expect([...tested].sort()).toEqual(lowered);
});
