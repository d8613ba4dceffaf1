// TNN's gated Toeplitz unit against its equation: y = W_o (silu(W_u x) * T silu(W_v x)), T[i, j] = k(i - j).
import { test } from "vitest";
import { convolveDirectly, expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

test("a gate after the convolution", async () => {
  const [length, width] = [9, 4];
  const run = await runMixer(
    {
      kind: "long_conv",
      gating: { kind: "post" },
      in_proj: { kind: "linear", activation: "silu" },
      skip: "none",
      filter: { kind: "explicit" },
    },
    { batch: 1, length, width },
  );
  const p = run.parameter;
  const silu = (x: number) => x / (1 + Math.exp(-x));
  const streams = linearDirectly(run.x, p("in_proj.weight"), p("in_proj.bias"), width).map(silu);
  const stream = (from: number) =>
    Float64Array.from(
      { length: length * width },
      (_, i) => streams[Math.floor(i / width) * 2 * width + from + (i % width)]!,
    );
  const [u, v] = [stream(0), stream(width)];
  const [ahead, behind] = [p("filters.0.taps"), p("filters.0.reverse.taps")];
  const mixed = convolveDirectly(v, length, width, (channel, lag) =>
    lag >= 0 ? ahead[lag * width + channel]! : behind[(-lag - 1) * width + channel]!,
  );
  const gated = mixed.map((value, i) => value * u[i]!);
  expectEach(run, linearDirectly(gated, p("out_proj.weight"), p("out_proj.bias"), width));
});
