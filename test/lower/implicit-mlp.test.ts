// Implicit filters with other functions between their layers, against the network written out position by position.
import { test } from "vitest";
import { convolveDirectly, expectEach, linearDirectly, type MixerRun, runMixer } from "./mixer-alone.js";

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

type Factor = (run: MixerRun, channel: number, t: number, x: number) => number;
const gaussian =
  (group: (channel: number) => number): Factor =>
  ({ parameter }, channel, _, x) => {
    const [mean, deviation] = [parameter("filters.0.window.mean"), parameter("filters.0.window.deviation")];
    const n = group(channel);
    return Math.exp(-(((x - mean[n]!) / deviation[n]!) ** 2) / 2);
  };

test.each<[window: object, features: string, factor: Factor]>([
  [{ kind: "geometric_decay", rate: 0.8 }, "computed", (_, __, t) => 0.8 ** t],
  [{ kind: "hann" }, "computed", (_, __, ___, x) => 0.5 + 0.5 * Math.cos(Math.PI * x)],
  [{ kind: "hann" }, "relative", (_, __, ___, x) => 0.5 + 0.5 * Math.cos(Math.PI * x)],
  [{ kind: "gaussian" }, "relative", gaussian(() => 0)],
  [{ kind: "gaussian", per: "group" }, "computed", gaussian((channel) => channel)],
])("the window %j of %s features", async (window, features, factor) => {
  const [length, width] = [9, 3];
  const filter = {
    kind: "implicit_mlp",
    span: "causal",
    width: 4,
    depth: 0,
    activation: "tanh",
    window,
    features,
  };
  const mixer = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, skip: "none" };
  const run = await runMixer({ ...mixer, filter }, { batch: 1, length, width });
  const read = run.parameter;
  const taps = Array.from({ length }, (_, t) => {
    const angle = (1e-4 * 2 * Math.PI * t) / length;
    const share = t / (length - 1);
    const x = features === "relative" ? 2 * share - 1 : share;
    const z = features === "relative" ? [x] : [share, Math.cos(angle), -Math.sin(angle)];
    const [weight, bias] = [read("filters.0.mlp.0.weight"), read("filters.0.mlp.0.bias")];
    const hidden = linearDirectly(z, weight, bias, z.length).map(Math.tanh);
    const values = linearDirectly(hidden, read("filters.0.mlp.1.weight"), undefined, 4);
    return values.map((v, c) => v * factor(run, c, t, x));
  });
  expectEach(
    run,
    convolveDirectly(run.x, length, width, (channel, lag) => (lag < 0 ? 0 : taps[lag]![channel]!)),
  );
});
