// Convolutions between all channels, and the blocks of ByteNet made of them, against sums over taps and channels.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, type MixerRun, runMixer } from "./mixer-alone.js";

/** sum over taps and channels of W[o, i, k] x[t - lag(k), i] + b[o], parameters below `at`. */
function convolved(
  { parameter }: MixerRun,
  at: string,
  x: ArrayLike<number>,
  width: number,
  lags: readonly number[],
): Float64Array {
  const [weight, bias] = [parameter(`${at}weight`), parameter(`${at}bias`)];
  const length = x.length / width;
  return Float64Array.from({ length: x.length }, (_, at_) => {
    const [t, o] = [Math.floor(at_ / width), at_ % width];
    let sum = bias[o]!;
    lags.forEach((lag, k) => {
      if (t - lag < 0 || t - lag >= length) return;
      for (let i = 0; i < width; i++)
        sum += weight[(o * width + i) * lags.length + k]! * x[(t - lag) * width + i]!;
    });
    return sum;
  });
}

test.each([
  { taps: 3, dilation: 1, span: "centered", tap_order: "correlation", lags: [1, 0, -1] },
  { taps: 5, dilation: 4, span: "centered", tap_order: "correlation", lags: [8, 4, 0, -4, -8] },
  { taps: 4, dilation: 2, span: "causal", tap_order: "convolution", lags: [0, 2, 4, 6] },
])("$taps taps, $dilation apart, $span, $tap_order", async ({ lags, ...conv }) => {
  const run = await runMixer(
    { kind: "conv", activation: "tanh", ...conv },
    { batch: 1, length: 7, width: 3 },
  );
  expectEach(run, convolved(run, "", run.x, 3, lags).map(Math.tanh));
});

test("a block of ByteNet: norms, activations and layers around a dilated convolution of half the width", async () => {
  const [length, width, narrow] = [9, 4, 2];
  const norm = { kind: "norm", norm: { kind: "layer", eps: 1e-5 }, activation: "silu" };
  const run = await runMixer(
    {
      kind: "chain",
      mixers: [
        norm,
        { kind: "linear", out: narrow },
        norm,
        { kind: "conv", taps: 3, dilation: 2 },
        norm,
        { kind: "linear", out: width },
      ],
    },
    { batch: 1, length, width },
  );
  const read = run.parameter;
  const normed = (x: Float64Array, k: number, size: number): Float64Array => {
    const [weight, bias] = [read(`mixers.${k}.norm.weight`), read(`mixers.${k}.norm.bias`)];
    return Float64Array.from(x, (v, i) => {
      const row = x.subarray(Math.floor(i / size) * size, (Math.floor(i / size) + 1) * size);
      const mean = row.reduce((sum, r) => sum + r, 0) / size;
      const variance = row.reduce((sum, r) => sum + (r - mean) ** 2, 0) / size;
      const y = ((v - mean) / Math.sqrt(variance + 1e-5)) * weight[i % size]! + bias[i % size]!;
      return y / (1 + Math.exp(-y));
    });
  };
  const layer = (x: Float64Array, k: number, size: number): Float64Array =>
    linearDirectly(x, read(`mixers.${k}.weight`), read(`mixers.${k}.bias`), size);
  const entered = layer(normed(run.x, 0, width), 1, width);
  const mixed = convolved(run, "mixers.3.", normed(entered, 2, narrow), narrow, [2, 0, -2]);
  expect(mixed.length).toBe(length * narrow);
  expectEach(run, layer(normed(mixed, 4, narrow), 5, narrow));
});
