// Implicit filters with other functions between their layers, against the network written out position by position.
import { test } from "vitest";
import { convolveDirectly, expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

const cubic = (x: number) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);

test.each([
  ["tanh", Math.tanh],
  ["gelu_tanh", (x: number) => 0.5 * x * (1 + Math.tanh(cubic(x)))],
  ["silu", (x: number) => x / (1 + Math.exp(-x))],
] as const)("a causal filter with %s", async (activation, of) => {
  const [length, width] = [9, 3];
  const run = await runMixer(
    {
      kind: "long_conv",
      in_proj: { kind: "none" },
      out_proj: { kind: "none" },
      skip: "none",
      filter: {
        kind: "implicit_mlp",
        span: "causal",
        width: 5,
        depth: 1,
        activation,
        window: { kind: "none" },
      },
    },
    { batch: 1, length, width },
  );
  const layer = (k: number, x: ArrayLike<number>, inputs: number) =>
    linearDirectly(
      x,
      run.parameter(`filters.0.mlp.${k}.weight`),
      k === 2 ? undefined : run.parameter(`filters.0.mlp.${k}.bias`),
      inputs,
    );
  const taps = Array.from({ length }, (_, t) => {
    const angle = (1e-4 * 2 * Math.PI * t) / length;
    const z = [t / (length - 1), Math.cos(angle), -Math.sin(angle)];
    return layer(2, layer(1, layer(0, z, 3).map(of), 5).map(of), 5);
  });
  expectEach(
    run,
    convolveDirectly(run.x, length, width, (channel, lag) => (lag < 0 ? 0 : taps[lag]![channel]!)),
  );
});
