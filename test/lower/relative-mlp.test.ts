// Filters that are a network of the lag, against the network written out lag by lag and a direct sum.
import { expect, test } from "vitest";
import { convolveDirectly, expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

const plain = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, skip: "none" };

type Parameter = (name: string) => ArrayLike<number>;

interface Network {
  readonly width: number;
  readonly depth: number;
  readonly residual: boolean;
  readonly decay: number;
}

/** mlp(lag) decay^|lag|, all channels, with layer normalisation and ReLU before every layer but the first. */
function taps(parameter: Parameter, at: string, lag: number, { width, depth, residual, decay }: Network) {
  const layer = (k: number, x: Float64Array): Float64Array => {
    const mean = x.reduce((sum, v) => sum + v, 0) / width;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width;
    const [gain, bias] = [parameter(`${at}norm.${k - 1}.weight`), parameter(`${at}norm.${k - 1}.bias`)];
    const normed = x.map((v, i) =>
      Math.max(0, ((v - mean) / Math.sqrt(variance + 1e-5)) * gain[i]! + bias[i]!),
    );
    return linearDirectly(normed, parameter(`${at}mlp.${k}.weight`), parameter(`${at}mlp.${k}.bias`), width);
  };
  let x = linearDirectly([lag], parameter(`${at}mlp.0.weight`), parameter(`${at}mlp.0.bias`), 1);
  for (let k = 1; k <= depth; k++) {
    const y = layer(k, x);
    x = residual ? x.map((v, i) => v + y[i]!) : y;
  }
  return layer(depth + 1, x).map((v) => v * decay ** Math.abs(lag));
}

test.each([
  { length: 11, built: 11, depth: 3, residual: false, decay: 0.9 },
  { length: 7, built: 12, depth: 1, residual: true, decay: 1 },
  { length: 9, built: 5, depth: 0, residual: false, decay: 0.5 },
])("one network for both signs, %o", async ({ length, built, ...network }) => {
  const filter = {
    kind: "relative_mlp",
    reverse_filter: "full_2l",
    width: 6,
    length: built,
    norm: { kind: "layer", eps: 1e-5 },
    ...network,
  };
  const run = await runMixer({ ...plain, filter }, { batch: 1, length, width: 3 });
  const table = new Map(
    Array.from({ length: 2 * length - 1 }, (_, i) => {
      const lag = i - length + 1;
      return [lag, taps(run.parameter, "filters.0.", lag, { width: 6, ...network })] as const;
    }),
  );
  expectEach(
    run,
    convolveDirectly(run.x, length, 3, (channel, lag) => table.get(lag)![channel]!),
  );
});

test("two networks: that of the negative lags is one position behind; a causal filter has one", async () => {
  const network = { width: 4, depth: 2, residual: false, decay: 0.8 };
  const filter = { kind: "relative_mlp", norm: { kind: "layer", eps: 1e-5 }, ...network };
  const sizes = { batch: 1, length: 10, width: 2 };
  const both = await runMixer({ ...plain, filter }, sizes);
  const k =
    ({ parameter }: { parameter: Parameter }) =>
    (channel: number, lag: number) =>
      (lag >= 0
        ? taps(parameter, "filters.0.", lag, network)
        : taps(parameter, "filters.0.reverse.", -lag - 1, network))[channel]!;
  expectEach(both, convolveDirectly(both.x, 10, 2, k(both)));
  const causal = await runMixer({ ...plain, filter: { ...filter, span: "causal" } }, sizes);
  expectEach(
    causal,
    convolveDirectly(causal.x, 10, 2, (channel, lag) => (lag < 0 ? 0 : k(causal)(channel, lag))),
  );
  expect(() => causal.parameter("filters.0.reverse.mlp.0.weight")).toThrow();
});
