// Short convolutions against direct sums: which stored tap is which lag, the bias, the activation after it.
import { expect, test } from "vitest";
import { convolveDirectly, expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

const silu = (x: number): number => x / (1 + Math.exp(-x));
const [length, width] = [9, 3];

test.each([
  { span: "causal", tap_order: "correlation", taps: 4, lag: (j: number) => 3 - j },
  { span: "centered", tap_order: "convolution", taps: 3, lag: (j: number) => j - 1 },
])("alone, with an activation: $span $tap_order", async ({ lag: lagOf, ...conv }) => {
  const run = await runMixer(
    { kind: "short_conv", activation: "silu", ...conv },
    { batch: 1, length, width },
  );
  const [weight, bias] = [run.parameter("short_conv.weight"), run.parameter("short_conv.bias")];
  const y = convolveDirectly(run.x, length, width, (channel, lag) => {
    let tap = 0;
    for (let j = 0; j < conv.taps; j++) if (lagOf(j) === lag) tap += weight[channel * conv.taps + j]!;
    return tap;
  });
  expectEach(
    run,
    y.map((v, i) => silu(v + bias[i % width]!)),
  );
});

test("of the streams of a long convolution, all of them activated before they are gated", async () => {
  const run = await runMixer(
    {
      kind: "long_conv",
      gating: { kind: "post" },
      short_conv: { kind: "depthwise", taps: 2, activation: "silu" },
      skip: "none",
      filter: { kind: "explicit", span: "causal" },
      out_proj: { kind: "none" },
    },
    { batch: 1, length, width },
  );
  const both = linearDirectly(run.x, run.parameter("in_proj.weight"), run.parameter("in_proj.bias"), width);
  const [weight, bias] = [run.parameter("short_conv.weight"), run.parameter("short_conv.bias")];
  const mixed = convolveDirectly(both, length, 2 * width, (channel, lag) =>
    lag === 0 || lag === 1 ? weight[2 * channel + 1 - lag]! : 0,
  ).map((v, i) => silu(v + bias[i % (2 * width)]!));
  const stream = (k: number) =>
    Float64Array.from({ length: length * width }, (_, i) => {
      return mixed[Math.floor(i / width) * 2 * width + k * width + (i % width)]!;
    });
  const taps = run.parameter("filters.0.taps");
  const v = convolveDirectly(stream(1), length, width, (channel, lag) =>
    lag < 0 ? 0 : taps[lag * width + channel]!,
  );
  const u = stream(0);
  expect(u.some((value) => value < 0)).toBe(true);
  expectEach(
    run,
    v.map((value, i) => value * u[i]!),
  );
});
