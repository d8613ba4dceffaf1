// Mixers made of mixers, against their parts computed one after the other.
import { expect, test } from "vitest";
import { convolveDirectly, expectEach, linearDirectly, type MixerRun, runMixer } from "./mixer-alone.js";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const silu = (x: number): number => x * sigmoid(x);

function layer(run: MixerRun, name: string, x: ArrayLike<number>, inputs: number): Float64Array {
  return linearDirectly(x, run.parameter(`${name}.weight`), run.parameter(`${name}.bias`), inputs);
}

/** A causal convolution whose taps stand under `name`. */
function convolved(run: MixerRun, name: string, x: ArrayLike<number>, width: number): Float64Array {
  const taps = run.parameter(`${name}.filters.0.taps`);
  return convolveDirectly(x, run.length, width, (c, lag) => (lag < 0 ? 0 : taps[lag * width + c]!));
}

const conv = {
  kind: "long_conv",
  in_proj: { kind: "none" },
  out_proj: { kind: "none" },
  skip: "none",
  filter: { kind: "explicit", span: "causal" },
};

test("a gated state space: a narrow convolution, widened and gated by a layer of the same input", async () => {
  const [length, width, narrow, wide] = [7, 4, 3, 10];
  const run = await runMixer(
    {
      kind: "parallel",
      combine: "product",
      branches: [
        { kind: "linear", out: wide, activation: "silu" },
        {
          kind: "chain",
          mixers: [{ kind: "linear", out: narrow, activation: "silu" }, conv, { kind: "linear", out: wide }],
        },
      ],
      out_proj: { kind: "linear" },
    },
    { batch: 1, length, width },
  );
  expect(run.parameter("branches.1.mixers.1.filters.0.taps").length).toBe(length * narrow);
  const u = layer(run, "branches.0", run.x, width).map(silu);
  const entered = layer(run, "branches.1.mixers.0", run.x, width).map(silu);
  const mixed = convolved(run, "branches.1.mixers.1", entered, narrow);
  const v = layer(run, "branches.1.mixers.2", mixed, narrow);
  expectEach(
    run,
    layer(
      run,
      "out_proj",
      u.map((value, i) => value * v[i]!),
      wide,
    ),
  );
});

test.each(["sum", "concat"])("side by side, %s, through a gated layer", async (combine) => {
  const [length, width] = [6, 4];
  const run = await runMixer(
    { kind: "parallel", combine, branches: [conv, { kind: "linear" }], out_proj: { kind: "glu" } },
    { batch: 1, length, width },
  );
  const [a, b] = [convolved(run, "branches.0", run.x, width), layer(run, "branches.1", run.x, width)];
  const rows = Array.from({ length }, (_, t) => {
    const part = (x: Float64Array) => [...x.subarray(t * width, (t + 1) * width)];
    return combine === "sum" ? part(a).map((v, c) => v + part(b)[c]!) : [...part(a), ...part(b)];
  });
  const both = layer(run, "out_proj", rows.flat(), rows[0]!.length);
  expectEach(
    run,
    Float64Array.from({ length: length * width }, (_, i) => {
      const at = Math.floor(i / width) * 2 * width + (i % width);
      return both[at]! * sigmoid(both[at + width]!);
    }),
  );
});

test("forward and backward side by side, multiplied: BiGS's bidirectional gating unit", async () => {
  const [length, width] = [7, 3];
  const branch = { kind: "chain", mixers: [{ kind: "linear", activation: "silu" }, conv] };
  const run = await runMixer(
    {
      kind: "parallel",
      combine: "product",
      branches: [branch, { ...branch, direction: "backward" }],
      out_proj: { kind: "linear" },
    },
    { batch: 1, length, width },
  );
  const turned = (x: Float64Array): Float64Array =>
    Float64Array.from(x, (_, i) => x[(length - 1 - Math.floor(i / width)) * width + (i % width)]!);
  const of = (name: string, x: Float64Array): Float64Array =>
    convolved(run, `${name}.mixers.1`, layer(run, `${name}.mixers.0`, x, width).map(silu), width);
  const forward = of("branches.0", run.x);
  const backward = turned(of("branches.1", turned(run.x)));
  const product = forward.map((value, i) => value * backward[i]!);
  expectEach(run, layer(run, "out_proj", product, width));
});
