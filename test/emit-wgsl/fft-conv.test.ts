// The FFT convolution on a device: every form of plan, filters of every layout, awkward lengths, and its error
// against float64 sums. Kernels are also compiled, for limits from the least to generous ones.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shaped } from "../../src/emit-wgsl/element.js";
import { planLine } from "../../src/emit-wgsl/kernels/fft-conv-plan.js";
import { defaultLimits, type Limits } from "../../src/emit-wgsl/limits.js";
import { dim } from "../../src/ir/dim.js";
import { lineConvolution } from "../../src/ir/fft/convolve.js";
import { spectrumOfTaps, type Taps } from "../../src/ir/fft/spectrum.js";
import { points, spectrumShape, type Transform } from "../../src/ir/fft/transform.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";
import { type Case, implementationOf, judgeCase, makeCase, numbers } from "./case.js";
import { type Device, openDevice } from "./device.js";
import { runOn } from "./run.js";

let device: Device | undefined;
beforeAll(async () => {
  device = await openDevice("swiftshader");
});
afterAll(() => device?.close());

interface Shape {
  readonly batch?: number;
  readonly length: number;
  readonly width: number;
  readonly factors: readonly number[];
  /** Filters; one per channel where left out. */
  readonly groups?: number;
  /** Lags before 0. */
  readonly before?: number;
  readonly circular?: boolean;
}

/** [Q, 2, 1, K, G] -> [G, 2, K, Q], rounded once. */
function permuted(transform: Transform, spectrum: Float64Array, groups: number): number[] {
  const [Q, , , K] = spectrumShape(transform, groups) as [number, number, number, number];
  const out = new Array<number>(spectrum.length);
  for (let g = 0; g < groups; g++)
    for (let part = 0; part < 2; part++)
      for (let k = 0; k < K; k++)
        for (let q = 0; q < Q; q++)
          out[((g * 2 + part) * K + k) * Q + q] = Math.fround(
            spectrum[((q * 2 + part) * K + k) * groups + g]!,
          );
  return out;
}

/** A convolution as a case, and its taps. */
function convolution(shape: Shape): { test: Case; taps: Taps; shape: Shape } {
  const { batch = 1, length, width, factors, groups = width, before = 0, circular = false } = shape;
  const name = `${length}x${width} by ${factors.join("x")}`;
  const count = circular ? length : before + length;
  const data = numbers(`${name} taps`, "f32", [count, groups]).data;
  const taps: Taps = { data, groups, lag0: before, circular };
  const transform: Transform = { form: "right_angle", factors, rows: factors[0]!, scaling: "last" };
  const spectrum = permuted(transform, spectrumOfTaps(transform, taps, length), groups);
  const last = factors[factors.length - 1]!;
  const made = makeCase(name, (b, input) => ({
    y: b.emit(
      "fft_conv",
      {
        x: input("x", [batch, length, width]),
        spectrum: input("spectrum", [groups, 2, last, points({ factors }) / last], { data: spectrum }),
      },
      { factors },
    ),
  }));
  return { test: made, taps, shape };
}

/** The convolution in float64, from the taps. */
function expected(x: Tensor, taps: Taps): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  const out = tensor("f32", x.shape);
  const column = (data: Float64Array, from: number, step: number, n: number) =>
    Float64Array.from({ length: n }, (_, t) => data[from + t * step]!);
  for (let c = 0; c < width; c++) {
    const g = Math.floor((c * taps.groups) / width);
    const own = column(taps.data, g, taps.groups, taps.data.length / taps.groups);
    const convolve = lineConvolution({ taps: own, lag0: taps.lag0, circular: taps.circular }, length);
    for (let b = 0; b < batch; b++)
      convolve(column(x.data, b * length * width + c, width, length)).forEach((v, t) => {
        out.data[(b * length + t) * width + c] = v;
      });
  }
  return out;
}

/** Root mean square error relative to that of the wanted numbers. */
function rms(found: Tensor, wanted: Tensor): number {
  const square = (of: (i: number) => number) => wanted.data.reduce((sum, _, i) => sum + of(i) ** 2, 0);
  return Math.sqrt(square((i) => found.data[i]! - wanted.data[i]!) / square((i) => wanted.data[i]!));
}

async function errorOf(shape: Shape): Promise<number> {
  const { test, taps } = convolution(shape);
  const implementation = implementationOf(test);
  const [y] = await runOn(device!, implementation, test.inputs, test.graph.outputs.map(shaped));
  return rms(y!, expected(test.inputs[0]!, taps));
}

describe("error against float64 sums", () => {
  const shapes: readonly Shape[] = [
    { length: 1, width: 3, factors: [1] },
    { length: 2, width: 5, factors: [2] },
    { length: 3, width: 24, factors: [3], batch: 2 },
    { length: 31, width: 7, factors: [32], before: 30 },
    { length: 97, width: 24, factors: [14, 7], batch: 2 },
    { length: 100, width: 6, factors: [5, 4, 5], circular: true },
    { length: 128, width: 16, factors: [16, 8], before: 127 },
    { length: 256, width: 8, factors: [16, 16], batch: 3, groups: 2 },
    { length: 360, width: 5, factors: [6, 6, 10], circular: true },
    { length: 500, width: 12, factors: [2, 9, 28], before: 499, groups: 3 },
    { length: 768, width: 4, factors: [12, 8, 8] },
    { length: 1000, width: 24, factors: [10, 10, 10], before: 999, groups: 1 },
    { length: 1024, width: 8, factors: [16, 8, 8], batch: 2 },
    { length: 1536, width: 3, factors: [12, 16, 8], before: 1535 },
    { length: 2048, width: 4, factors: [16, 16, 8] },
    { length: 3000, width: 2, factors: [15, 10, 20] },
    { length: 4096, width: 3, factors: [16, 16, 16], before: 4095 },
    { length: 4096, width: 2, factors: [16, 16, 16], circular: true },
  ];
  test.each(
    shapes.map((shape) => [`${shape.length} samples by ${shape.factors.join("x")}`, shape] as const),
  )("%s", async (_, shape) => {
    if (device === undefined) return;
    // The promise of the issue; measured 0.2 to 2.2e-7.
    expect(await errorOf(shape)).toBeLessThan(4e-7);
  });

  test("longer than a workgroup's memory: three kernels", async () => {
    if (device === undefined) return;
    expect(await errorOf({ length: 5000, width: 6, factors: [20, 10, 25], batch: 2 })).toBeLessThan(4e-7);
    expect(await errorOf({ length: 10000, width: 5, factors: [20, 20, 25], before: 9999 })).toBeLessThan(
      4e-7,
    );
    // Beyond the promise's range: one more stage, and errors grow with log M.
    expect(await errorOf({ length: 65536, width: 2, factors: [32, 16, 16, 8] })).toBeLessThan(5e-7);
    expect(await errorOf({ length: 8192, width: 2, factors: [16, 16, 32] })).toBeLessThan(4e-7);
  });
});

test("the error is what the op's rounding model predicts", async () => {
  if (device === undefined) return;
  for (const shape of [
    { length: 13, width: 5, factors: [14], batch: 2 },
    { length: 81, width: 10, factors: [9, 9], before: 80 },
  ])
    expect((await judgeCase(device, convolution(shape).test)).problems).toEqual([]);
});

test("gates, skip terms and activations run where samples are loaded and stored", async () => {
  if (device === undefined) return;
  for (const [length, factors] of [
    [37, [8, 5]],
    [5000, [20, 10, 25]],
  ] as const) {
    const { test: plain } = convolution({ length, width: 6, factors, groups: 2 });
    const fused = makeCase(`fused ${length}`, (b, input) => {
      const shape = [1, length, 6];
      const streams = input("streams", [1, length, 12]);
      const part = (start: number) =>
        b.emit("slice", { x: streams }, { axis: 2, start: dim(start), length: dim(6) });
      const x = b.emit("mul", { a: part(0), b: part(6) }, {});
      const spectrum = input(
        "spectrum",
        plain.graph.inputs[1]!.type.shape.map((d) => d.value!),
        {
          data: [...plain.inputs[1]!.data],
        },
      );
      const y = b.emit("fft_conv", { x, spectrum }, { factors });
      const skipped = b.emit("add", { a: y, b: b.emit("mul", { a: x, b: input("skip", [6]) }, {}) }, {});
      return { y: b.emit("silu", { x: b.emit("mul", { a: skipped, b: input("gate", shape) }, {}) }, {}) };
    });
    expect((await judgeCase(device, fused)).problems).toEqual([]);
  }
});

describe("plans", () => {
  const plan = (factors: readonly number[], width: number, limits: Partial<Limits> = {}) => {
    const made = planLine(factors, 0, width, { ...defaultLimits, ...limits });
    return made && `${made.channels} x ${made.threads} ${made.mode}`;
  };
  test("several channels while lines are short, half the memory when they are long", () => {
    expect(plan([9, 9], 128)).toBe("8 x 9 complex");
    expect(plan([16, 16], 128)).toBe("4 x 16 complex");
    expect(plan([16, 8, 8], 128)).toBe("2 x 64 complex");
    expect(plan([16, 16, 8], 128)).toBe("2 x 128 split");
    expect(plan([16, 16, 16], 128)).toBe("1 x 256 split");
    expect(plan([16, 16, 32], 128)).toBeUndefined();
    expect(plan([16, 16, 32], 128, { maxComputeWorkgroupStorageSize: 32768 })).toBe("1 x 256 split");
  });
});
