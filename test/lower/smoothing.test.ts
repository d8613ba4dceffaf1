// Explicit taps smoothed in time or frequency against sums written out.
import { test } from "vitest";
import { convolveDirectly, expectEach, runMixer } from "./mixer-alone.js";

const plain = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, skip: "none" };

/** The taps of one channel with each bin of their rfft replaced by the weighted sum of those around it. */
function smoothSpectrum(k: readonly number[], width: number): number[] {
  const n = k.length;
  const bins = Math.floor(n / 2) + 1;
  const angle = (bin: number, t: number): number => (2 * Math.PI * bin * t) / n;
  const parts = [Math.cos, (x: number) => -Math.sin(x)].map((wave) => {
    const spectrum = Array.from({ length: bins }, (_, bin) =>
      k.reduce((sum, value, t) => sum + value * wave(angle(bin, t)), 0),
    );
    return spectrum.map((_, bin) => {
      let sum = 0;
      for (let j = -(width - 1) / 2; j <= (width - 1) / 2; j++)
        sum += (spectrum[bin + j] ?? 0) * Math.exp((-j * j) / 2);
      return sum;
    });
  });
  return k.map((_, t) => {
    let sum = 0;
    for (let bin = 0; bin < bins; bin++) {
      const twice = bin > 0 && 2 * bin < n ? 2 : 1;
      sum += twice * (parts[0]![bin]! * Math.cos(angle(bin, t)) - parts[1]![bin]! * Math.sin(angle(bin, t)));
    }
    return sum / n;
  });
}

/** The mean of `width` taps around each. */
function smoothTaps(k: readonly number[], width: number): number[] {
  return k.map((_, t) => {
    let sum = 0;
    for (let j = -(width - 1) / 2; j <= (width - 1) / 2; j++) sum += k[t + j] ?? 0;
    return sum / width;
  });
}

test.each([
  ["time", 5, 9, "causal"],
  ["frequency", 5, 9, "causal"],
  ["frequency", 3, 8, "causal"],
  ["frequency", 7, 5, "bidirectional"],
] as const)("%s, width %i, length %i, %s", async (domain, smoothing, length, span) => {
  const reverse = span === "bidirectional" ? { reverse_filter: "full_2l" } : {};
  const filter = { kind: "explicit", span, ...reverse, smoothing, smoothing_domain: domain, squash: 0.02 };
  const run = await runMixer({ ...plain, filter }, { batch: 1, length, width: 2 });
  const stored = run.parameter("filters.0.taps");
  const rows = stored.length / 2;
  const taps = [0, 1].map((c) => {
    const own = Array.from({ length: rows }, (_, t) => stored[t * 2 + c]!);
    const smooth = domain === "time" ? smoothTaps(own, smoothing) : smoothSpectrum(own, smoothing);
    return smooth.map((value) => Math.sign(value) * Math.max(Math.abs(value) - 0.02, 0));
  });
  const tap = (c: number, lag: number): number =>
    lag >= 0 ? taps[c]![lag]! : span === "bidirectional" ? taps[c]![rows + lag]! : 0;
  expectEach(run, convolveDirectly(run.x, length, 2, tap));
});
