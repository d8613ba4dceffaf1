// Continuous kernels against their definition: a small network at positions written out, a causal correlation over all
// pairs of channels in plain loops, and upstream's rules for other lengths.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, type MixerRun, runMixer } from "./mixer-alone.js";

const omega = 7.5;
const hidden = 5;

/** weight_g weight_v / |weight_v| by rows, or the plain weight. */
function weightOf(run: MixerRun, layer: number, inputs: number, normed: boolean): ArrayLike<number> {
  const at = `filters.0.mlp.${layer}`;
  if (!normed) return run.parameter(`${at}.weight`);
  const v = Array.from(run.parameter(`${at}.weight_v`));
  const size = (row: number): number => Math.hypot(...v.slice(row * inputs, (row + 1) * inputs));
  return v.map((value, i) => {
    const row = Math.floor(i / inputs);
    return (run.parameter(`${at}.weight_g`)[row]! * value) / size(row);
  });
}

/** The network at one position: [out, in] numbers. */
function kernelAt(run: MixerRun, position: number, normed: boolean, sine: boolean): Float64Array {
  let h: ArrayLike<number> = [position];
  for (let layer = 0; layer < 3; layer++) {
    const y = linearDirectly(
      h,
      weightOf(run, layer, h.length, normed),
      run.parameter(`filters.0.mlp.${layer}.bias`),
      h.length,
    );
    h = layer === 2 ? y : y.map((value) => (sine ? Math.sin(omega * value) : Math.max(value, 0)));
  }
  return Float64Array.from(h);
}

/** y[t, o] = bias[o] + sum_p sum_i k[p][o, i] x[t - (n-1) + p, i] of n taps. */
function correlate(run: MixerRun, kernel: readonly Float64Array[]): Float64Array {
  const { batch, length, width, x } = run;
  const y = new Float64Array(x.length);
  for (let b = 0; b < batch; b++)
    for (let t = 0; t < length; t++)
      for (let o = 0; o < width; o++) {
        let sum = run.parameter("conv_bias")[o]!;
        for (const [p, tap] of kernel.entries()) {
          const s = t - (kernel.length - 1) + p;
          if (s < 0) continue;
          for (let i = 0; i < width; i++) sum += tap[o * width + i]! * x[(b * length + s) * width + i]!;
        }
        y[(b * length + t) * width + o] = sum;
      }
  return y;
}

async function ckconv(length: number, built: number, normed: boolean, sine = true): Promise<MixerRun> {
  const filter = {
    kind: "implicit_mlp",
    span: "causal",
    tap_order: "correlation",
    features: "relative",
    length: built,
    width: hidden,
    depth: 1,
    frequency: "fixed",
    ...(sine ? { omega } : { activation: "relu" }),
    last_bias: true,
    weight_norm: normed,
    window: { kind: "none" },
  };
  const plain = { in_proj: { kind: "none" }, out_proj: { kind: "none" }, skip: "none" };
  const mixer = { kind: "long_conv", channel_mixing: "dense", conv_bias: true, filter, ...plain };
  return runMixer(mixer, { batch: 2, length, width: 3 });
}

const scaled = (tap: Float64Array, factor: number): Float64Array => tap.map((value) => value * factor);

test.each([
  [7, true, true],
  [8, false, true],
  [2, true, false],
])("%i positions, weight norm %s, sine %s", async (length, normed, sine) => {
  const run = await ckconv(length, length, normed, sine);
  const taps = Array.from({ length }, (_, p) => kernelAt(run, -1 + (2 * p) / (length - 1), normed, sine));
  expectEach(run, correlate(run, taps));
  expect(taps[0]!.length).toBe(9);
});

test("a third of the built positions: every third tap of the built kernel, three times as heavy", async () => {
  const run = await ckconv(7, 20, true);
  const taps = Array.from({ length: 7 }, (_, p) => kernelAt(run, -1 + (3 * p * 2) / 19, true, true));
  expectEach(
    run,
    correlate(
      run,
      taps.map((tap) => scaled(tap, 3)),
    ),
  );
});

test("twice as fine: built taps and those between, smoothed inside, half as heavy", async () => {
  const run = await ckconv(7, 4, false);
  const taps = Array.from({ length: 7 }, (_, p) => kernelAt(run, -1 + (p * 2) / 6, false, true));
  const gauss = (d: number): number => Math.exp(-(d ** 2) / (2 * 0.5 ** 2)) / (0.5 * Math.sqrt(2 * Math.PI));
  const smooth = taps.map((tap, p) => {
    if (p < 2 || p > 4) return tap;
    const sum = new Float64Array(tap.length);
    for (let d = -2; d <= 2; d++)
      for (const [i, value] of taps[p + d]!.entries()) sum[i]! += gauss(d) * value;
    return sum;
  });
  expectEach(
    run,
    correlate(
      run,
      smooth.map((tap) => scaled(tap, 0.5)),
    ),
  );
});
