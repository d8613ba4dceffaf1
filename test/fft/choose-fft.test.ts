// Every lowering keeps the value of the convolution it replaces, evaluated in float64 at awkward sizes.

import { expect, test, vi } from "vitest";
import { Builder } from "../../src/ir/build.js";
import { Dim, dim } from "../../src/ir/dim.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { type Lowering, planConvolution } from "../../src/ir/fft/plan.js";
import { cpuProfile, profiles } from "../../src/ir/fft/profiles.js";
import type { Module } from "../../src/ir/graph.js";
import { parseModule } from "../../src/ir/parse.js";
import { printModule } from "../../src/ir/print.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";
import { verify } from "../../src/ir/verify.js";
import { type ChooseFftOptions, chooseFft } from "../../src/passes/choose-fft.js";
import { padFft } from "../../src/passes/pad-fft.js";
import { DlmcError } from "../../src/support/diagnostic.js";
import { noise, relativeError } from "./compose.js";

vi.setConfig({ testTimeout: 60_000 });

interface Case {
  readonly L: number;
  readonly D: number;
  readonly G: number;
  readonly taps: number;
  readonly lag0: number;
  readonly circular?: boolean;
  readonly skip?: boolean;
  /** Taps are a graph input instead of a weight. */
  readonly dynamic?: boolean;
}

function moduleOf({ L, D, G, taps, lag0, circular = false, skip = false, dynamic = false }: Case): Module {
  const b = new Builder("mix");
  const batch = Dim.symbol("B", 1, 8);
  const x = b.input("x", type("f32", [batch, L, D]));
  const k = dynamic ? b.input("k", type("f32", [taps, G])) : b.weight("k", [dim(taps), dim(G)]);
  const d = skip ? b.weight("skip", [dim(D)]) : undefined;
  const y = b.emit("long_conv", { x, k, skip: d }, { lag0, circular });
  const weights = new Map<string, Tensor>([
    ["k", tensor("f32", [taps, G], noise(taps * G, 2))],
    ["skip", tensor("f32", [D], noise(D, 3))],
  ]);
  return {
    dims: new Map([["B", batch]]),
    graphs: [b.finish({ y })],
    weights: { has: (name) => weights.has(name), read: (name) => weights.get(name)! },
  };
}

function inputsOf({ L, D, G, taps, dynamic }: Case): Tensor[] {
  const x = tensor("f32", [2, L, D], noise(2 * L * D, 5));
  return dynamic ? [x, tensor("f32", [taps, G], noise(taps * G, 2))] : [x];
}

/** Names of the ops after lowering; the value, the rules and the text form are checked on the way. */
function lowered(given: Case, options: ChooseFftOptions = {}, pad = false): string[] {
  const before = moduleOf(given);
  const after = chooseFft(options).run(pad ? padFft(options).run(before) : before);
  const label = JSON.stringify({ ...given, ...options, profile: options.profile?.name });
  expect(verify(after), label).toEqual([]);
  const text = printModule(after);
  expect(printModule(parseModule(text, { weights: before.weights })), label).toBe(text);
  const [expected] = evaluate(before, "mix", inputsOf(given));
  const [got] = evaluate(after, "mix", inputsOf(given));
  // Float64 rounding 1.1e-16 times at most some hundred roundings per output.
  expect(relativeError(got!.data, expected!.data), label).toBeLessThan(1e-12);
  return after.graphs[0]!.ops.map((op) => op.name);
}

const lengths = [1, 2, 3, 5, 7, 13, 16, 31, 97, 100];

function spans(L: number): { taps: number; lag0: number; circular?: boolean }[] {
  return [
    { taps: L, lag0: 0 },
    { taps: 2 * L - 1, lag0: L - 1 },
    { taps: 3, lag0: 1 },
    { taps: 2 * L + 3, lag0: L + 1 },
    { taps: L, lag0: 0, circular: true },
    { taps: 2 * L + 3, lag0: 1, circular: true },
  ];
}

const lowerings: readonly Lowering[] = ["right_angle", "packed_circular", "depthwise", "toeplitz", "dft"];

test.each(lowerings)("%s keeps the value wherever it is possible", (lowering) => {
  let done = 0;
  for (const L of lengths)
    for (const span of spans(L))
      for (const G of [1, 2, 4])
        for (const spectra of ["fold", "load"] as const) {
          const given: Case = { L, D: 4, G, ...span, skip: G !== 2, dynamic: G === 2 && spectra === "load" };
          const request = { length: L, channels: 4, groups: G, batch: 1, circular: span.circular ?? false };
          const lags = { minLag: -span.lag0, maxLag: span.taps - 1 - span.lag0 };
          const { candidates } = planConvolution({ ...request, ...lags }, cpuProfile());
          if (!candidates.some((c) => c.lowering === lowering)) continue;
          lowered(given, { lowering, spectra });
          done++;
        }
  expect(done).toBeGreaterThan(30);
});

test("the cheapest lowering keeps the value, padded first or not", () => {
  for (const L of lengths)
    for (const span of spans(L)) {
      lowered({ L, D: 4, G: 4, ...span });
      lowered({ L, D: 4, G: 4, ...span, skip: true }, { spectra: "load" }, true);
    }
});

test("channel blocks keep the value", () => {
  // A machine whose cache holds a quarter of the channels and whose memory is slow.
  const bandwidth = [
    { upTo: 1.6e6, bytesPerSecond: 1e12 },
    { upTo: Number.POSITIVE_INFINITY, bytesPerSecond: 1e8 },
  ];
  const profile = { ...cpuProfile(), bandwidth, dispatch: 0, blocks: [1, 4] };
  const given = { L: 2048, D: 128, taps: 3, lag0: 0, skip: true };
  for (const G of [128, 1])
    for (const spectra of ["fold", "load"] as const) {
      const ops = lowered({ ...given, G }, { profile, spectra, lowering: "right_angle" });
      expect(ops.filter((name) => name === "concat")).toHaveLength(1);
    }
});

test("sequence-first layouts keep the value, and every product has the batch axes of its matrix", () => {
  const profile = profiles["h100-f32"]!;
  for (const L of [3, 31, 97, 100, 128])
    for (const G of [1, 2, 4])
      for (const spectra of ["fold", "load"] as const) {
        const given = { L, D: 4, G, taps: 2 * L - 1, lag0: L - 1, skip: true };
        const ops = lowered(given, { profile, spectra, lowering: "right_angle" });
        expect(ops.filter((name) => name === "transpose")).toHaveLength(2);
      }
  const given = { L: 128, D: 64, G: 64, taps: 128, lag0: 0 };
  const after = chooseFft({ profile, lowering: "right_angle" }).run(moduleOf(given));
  const products = after.graphs[0]!.ops.filter((op) => op.name === "matmul");
  for (const { operands } of products) {
    const [matrix, data] = operands.map((v) => v!.type.shape.slice(0, -2).map(String));
    expect(data).toEqual(matrix);
  }
});

test("a chain is products, one multiplication and reshapes; the filter is one op", () => {
  const ops = lowered({ L: 128, D: 64, G: 64, taps: 128, lag0: 0, skip: true });
  const count = (name: string) => ops.filter((op) => op === name).length;
  expect(count("matmul")).toBe(4);
  expect(count("mul")).toBe(1);
  expect(count("fft_spectrum")).toBe(1);
  const others = ["weight", "fft_matrix", "matmul", "mul", "fft_spectrum", "reshape"];
  expect(ops.filter((op) => !others.includes(op))).toEqual([]);
});

test("taps known only at run time go through the same stages", () => {
  const ops = lowered({ L: 128, D: 64, G: 64, taps: 128, lag0: 0, dynamic: true });
  expect(ops).not.toContain("fft_spectrum");
  expect(ops.filter((op) => op === "matmul")).toHaveLength(6);
});

test("f16 machines scale every stage", () => {
  const after = chooseFft({ profile: profiles["h100-f16"]! }).run(
    moduleOf({ L: 128, D: 64, G: 64, taps: 128, lag0: 0 }),
  );
  const matrices = after.graphs[0]!.ops.filter((op) => op.name === "fft_matrix");
  expect(matrices.length).toBeGreaterThan(0);
  expect(matrices.every((op) => op.attributes.scaling === "each")).toBe(true);
});

test("pad-fft names a length that choose-fft keeps, and runs once", () => {
  const once = padFft().run(moduleOf({ L: 67, D: 64, G: 64, taps: 67, lag0: 0 }));
  const length = once.graphs[0]!.ops.find((op) => op.name === "long_conv")!.attributes.length as Dim;
  expect(length.value).toBeGreaterThanOrEqual(67);
  expect(padFft().run(once)).toBe(once);
  const chain = chooseFft().run(once).graphs[0]!.ops;
  const { factors } = chain.find((op) => op.name === "fft_matrix")!.attributes as {
    factors: readonly number[];
  };
  expect(factors.reduce((product, factor) => product * factor, 1)).toBe(length.value);
});

test("free lengths are left alone", () => {
  const text = `dim B in 1..8
dim L in 1..64

graph @mix(%x: f32[B, L, 4], %k: f32[L, 4]) {
  %y = long_conv %x, %k {lag0 = 0} : f32[B, L, 4]
  return y = %y
}
`;
  const module = parseModule(text);
  expect(chooseFft().run(module)).toBe(module);
  expect(padFft().run(module)).toBe(module);
});

test("a named lowering that cannot do it says what can", () => {
  const run = () =>
    chooseFft({ lowering: "toeplitz" }).run(moduleOf({ L: 16, D: 4, G: 4, taps: 16, lag0: 0 }));
  expect(run).toThrow(DlmcError);
  expect(run).toThrow(/toeplitz cannot compute .* possible are .*right_angle/);
});
