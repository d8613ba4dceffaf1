// Convolutions whose kernels are made from the data, against the kernel and the sum over positions written out.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, type MixerRun, runMixer } from "./mixer-alone.js";

/** The rows of a batch entry of a linear layer of the input. */
function layer(run: MixerRun, name: string, batch: number, bias: boolean): Float64Array {
  const { length, width } = run;
  return linearDirectly(
    run.x.subarray(batch * length * width, (batch + 1) * length * width),
    run.parameter(`${name}.weight`),
    bias ? run.parameter(`${name}.bias`) : undefined,
    width,
  );
}

test.each([
  { length: 9, width: 6, heads: 3, scores: "linear", bias: false },
  { length: 8, width: 4, heads: 1, scores: "linear", bias: true },
  { length: 7, width: 6, heads: 2, scores: "averaged_key", bias: true },
  { length: 1, width: 2, heads: 2, scores: "averaged_key", bias: false },
])("circulant softmax, %o", async ({ length, width, ...filter }) => {
  const { heads, scores, bias } = filter;
  const size = width / heads;
  const run = await runMixer(
    { kind: "adaptive_conv", filter: { kind: "circulant_softmax", ...filter } },
    { batch: 2, length, width },
  );
  const expected: number[] = [];
  for (let n = 0; n < 2; n++) {
    const v = layer(run, "in_proj", n, true);
    const z = (t: number, h: number): number => {
      if (scores === "linear") return layer(run, "filter.scores", n, bias)[t * heads + h]!;
      const [q, k] = [layer(run, "filter.q", n, bias), layer(run, "filter.k", n, bias)];
      let sum = 0;
      for (let c = h * size; c < (h + 1) * size; c++)
        for (let s = 0; s < length; s++) sum += (q[t * width + c]! * k[s * width + c]!) / length;
      return sum / Math.sqrt(size);
    };
    const y = new Float64Array(length * width);
    for (let h = 0; h < heads; h++) {
      const powers = Array.from({ length }, (_, t) => Math.exp(z(t, h)));
      const total = powers.reduce((sum, p) => sum + p, 0);
      for (let i = 0; i < length; i++)
        for (let j = 0; j < length; j++) {
          const w = powers[(j - i + length) % length]! / total;
          for (let c = h * size; c < (h + 1) * size; c++) y[i * width + c]! += w * v[j * width + c]!;
        }
    }
    expected.push(
      ...linearDirectly(y, run.parameter("out_proj.weight"), run.parameter("out_proj.bias"), width),
    );
  }
  expect(expected.length).toBe(2 * length * width);
  expectEach(run, expected);
});

/** The magnitudes |sum_t s[t] e^(-2 pi i k t / L)| of a line, k = 0 .. floor(L/2). */
function magnitudes(line: readonly number[]): number[] {
  const length = line.length;
  return Array.from({ length: Math.floor(length / 2) + 1 }, (_, k) => {
    const turn = (t: number) => (-2 * Math.PI * k * t) / length;
    return Math.hypot(
      line.reduce((sum, s, t) => sum + s * Math.cos(turn(t)), 0),
      line.reduce((sum, s, t) => sum + s * Math.sin(turn(t)), 0),
    );
  });
}

/** A centred convolution of a line, taps stored in correlation order, zeros beyond both ends. */
function centred(line: readonly number[], weight: readonly number[], bias: number): number[] {
  const reach = (weight.length - 1) / 2;
  return line.map((_, t) => weight.reduce((sum, w, j) => sum + w * (line[t + j - reach] ?? 0), bias));
}

/** The circular convolution of v with the kernel whose spectrum is made from the magnitudes of s. */
function byMagnitude(run: MixerRun, at: string, s: number[], v: number[], channel: number): number[] {
  const part = (name: string) => {
    const all = Array.from(run.parameter(`${at}.${name}.weight`));
    const taps = all.length / run.parameter(`${at}.${name}.bias`).length;
    return [
      all.slice(channel * taps, (channel + 1) * taps),
      run.parameter(`${at}.${name}.bias`)[channel]!,
    ] as const;
  };
  const gains = centred(magnitudes(centred(s, ...part("time"))), ...part("frequency"));
  const length = s.length;
  // The kernel of a real spectrum, every bin of it with its twin.
  const kernel = Array.from({ length }, (_, t) => {
    let sum = 0;
    for (let k = 0; k < length; k++)
      sum += gains[Math.min(k, length - k)]! * Math.cos((2 * Math.PI * k * t) / length);
    return sum / length;
  });
  return v.map((_, i) => v.reduce((sum, x, j) => sum + kernel[(i - j + length) % length]! * x, 0));
}

const column = (x: ArrayLike<number>, width: number, channel: number): number[] =>
  Array.from(x).filter((_, i) => i % width === channel);

test.each([
  { length: 9, taps: 3 },
  { length: 8, taps: 5 },
])("magnitudes of the spectrum, %o", async ({ length, taps }) => {
  const width = 3;
  const run = await runMixer(
    { kind: "adaptive_conv", filter: { kind: "spectral_magnitude", taps }, out_proj: { kind: "none" } },
    { batch: 1, length, width },
  );
  const v = layer(run, "in_proj", 0, true);
  const y = new Float64Array(length * width);
  for (let c = 0; c < width; c++)
    byMagnitude(run, "filter", column(run.x, width, c), column(v, width, c), c).forEach((value, t) => {
      y[t * width + c] = value;
    });
  expectEach(run, y);
});

test("beside a circular filter, between gates: the whole of Orchid's operator", async () => {
  const [length, width] = [9, 3];
  const run = await runMixer(
    {
      kind: "long_conv",
      gating: { kind: "pre_post" },
      short_conv: { kind: "depthwise", span: "centered" },
      filter: { kind: "explicit", span: "circular" },
      adaptive_filter: { kind: "spectral_magnitude" },
      skip: "none",
    },
    { batch: 1, length, width },
  );
  const streams = layer(run, "in_proj", 0, true);
  const [weight, bias] = [run.parameter("short_conv.weight"), run.parameter("short_conv.bias")];
  const short = (channel: number): number[] =>
    centred(
      column(streams, 3 * width, channel),
      Array.from(weight).slice(3 * channel, 3 * channel + 3),
      bias[channel]!,
    );
  const taps = run.parameter("filters.0.taps");
  const y = new Float64Array(length * width);
  for (let c = 0; c < width; c++) {
    const [x1, x2, v] = [short(c), short(width + c), short(2 * width + c)];
    const gated = v.map((value, t) => value * x1[t]!);
    const s = column(streams, 3 * width, 2 * width + c);
    const adaptive = byMagnitude(run, "adaptive_filters.0", s, gated, c);
    adaptive.forEach((value, t) => {
      let sum = value;
      for (let j = 0; j < length; j++) sum += taps[((t - j + length) % length) * width + c]! * gated[j]!;
      y[t * width + c] = sum * x2[t]!;
    });
  }
  expectEach(run, linearDirectly(y, run.parameter("out_proj.weight"), run.parameter("out_proj.bias"), width));
});

test.each([
  { length: 7, width: 6, heads: 3, bias: false },
  { length: 8, width: 4, heads: 1, bias: true },
])("a gate for each frequency of the pooled query, %o", async ({ length, width, heads, bias }) => {
  const hidden = 5;
  const filter = { kind: "pooled_gate", heads, hidden, activation: "silu", bias };
  const run = await runMixer(
    { kind: "adaptive_conv", filter, out_proj: { kind: "none" } },
    { batch: 1, length, width },
  );
  const [size, bins] = [width / heads, Math.floor(length / 2) + 1];
  const read = (name: string) => Array.from(run.parameter(`filter.${name}`));
  const q = layer(run, "filter.q", 0, bias);
  const v = layer(run, "in_proj", 0, true);
  const y = new Float64Array(length * width);
  for (let h = 0; h < heads; h++) {
    const of = (name: string, rows: number) => read(name).slice(h * rows, (h + 1) * rows);
    const pooled = Array.from({ length: size }, (_, c) => {
      let sum = 0;
      for (let t = 0; t < length; t++) sum += q[t * width + h * size + c]! / length;
      return sum;
    });
    const mean = pooled.reduce((sum, p) => sum + p, 0) / size;
    const variance = pooled.reduce((sum, p) => sum + (p - mean) ** 2, 0) / size;
    const [weight, shift] = [of("norm.weight", size), of("norm.bias", size)];
    const normed = pooled.map((p, c) => ((p - mean) / Math.sqrt(variance + 1e-5)) * weight[c]! + shift[c]!);
    const up = linearDirectly(normed, of("up.weight", hidden * size), of("up.bias", hidden), size);
    const units = up.map((u) => u / (1 + Math.exp(-u)));
    const z = linearDirectly(units, of("down.weight", 2 * bins * hidden), of("down.bias", 2 * bins), hidden);
    const threshold = of("threshold", bins);
    const gain = Array.from({ length: bins }, (_, k) => {
      const magnitude = Math.hypot(z[2 * k]!, z[2 * k + 1]!);
      const factor = Math.max(0, magnitude + threshold[k]!) / (magnitude + 1e-8);
      return [z[2 * k]! * factor, z[2 * k + 1]! * factor] as const;
    });
    // The kernel of this spectrum: its twin bins are conjugate, imaginary parts of bins without one are not read.
    const kernel = Array.from({ length }, (_, t) => {
      let sum = 0;
      for (let k = 0; k < bins; k++) {
        const angle = (2 * Math.PI * k * t) / length;
        const twin = (2 * k) % length === 0 ? 1 : 2;
        sum += (twin * (gain[k]![0] * Math.cos(angle) - gain[k]![1] * Math.sin(angle))) / length;
      }
      return sum;
    });
    for (let i = 0; i < length; i++)
      for (let j = 0; j < length; j++)
        for (let c = h * size; c < (h + 1) * size; c++)
          y[i * width + c]! += kernel[(i - j + length) % length]! * v[j * width + c]!;
  }
  expectEach(run, y);
});
