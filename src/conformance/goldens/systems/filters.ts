// Convolution layers that are one filter, GELU and a gated projection: LongConv, S4D, S4, SGConv; the kernel of LongConv
// alone; GFNet's filter; AFNO. Upstream's layout is [B, H, L] but for the last two.

import { floats, load, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import {
  flagOption,
  type GoldenCase,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { realSpectrum, swapLastAxes } from "../layout.js";
import { probesOf } from "../probes.js";
import type { GoldenSystem } from "./system.js";

/** What a system says of its filter: the field, and where its parameters are stored. */
interface Described {
  readonly filter: Readonly<Record<string, unknown>>;
  readonly map: Readonly<Record<string, unknown>>;
  readonly ignore?: readonly string[];
  /** Filters per channel. */
  readonly channels: number;
  readonly outProjection: "glu" | "linear";
}

type Squeeze = { readonly kind: "squeeze"; readonly axes: readonly number[] };
const squeeze = (...axes: readonly number[]): Squeeze => ({ kind: "squeeze", axes });
const transpose = { kind: "transpose" } as const;
export const from = (name: string, ...transforms: readonly unknown[]) => ({ from: name, transforms });
/** A tensor `times` times one after the other along an axis. */
export const tiled = (name: string, times: number, axis: number, ...more: readonly unknown[]) =>
  times === 1
    ? from(name, ...more)
    : { from: Array.from({ length: times }, () => name), transforms: [{ kind: "concat", axis }, ...more] };
/** [c, H, ..] as [c H, ..]. */
export const joinedChannels = (name: string, shape: readonly number[], ...more: readonly unknown[]) =>
  from(name, { kind: "reshape", shape }, ...more);

export function system(
  name: string,
  upstream: string,
  describe: (golden: GoldenCase) => Described,
): GoldenSystem {
  return {
    name,
    covers: (golden) => golden.system === upstream && hasTensor(golden, "in.u"),
    compute: (golden, work) => layer(golden, work, describe(golden)),
  };
}

export const bidirectional = (golden: GoldenCase): boolean => flagOption(golden, "bidirectional") === true;
export const spanOf = (golden: GoldenCase) =>
  bidirectional(golden) ? { span: "bidirectional", reverse_filter: "offset_lag1" } : { span: "causal" };

export const longConv = system("LongConv", "LongConv", (golden) => {
  const [channels = 1, width = 1, stored = 2] = weightShape(golden, "kernel") ?? [];
  const rows = channels * width;
  // A shorter sequence reads the first 2 L entries, negative lags from the second half of those.
  const length = Math.min(stored / 2, tensorOf(golden, "in.u").shape[2]!);
  return {
    channels,
    outProjection: "glu",
    filter: {
      kind: "explicit",
      span: "bidirectional",
      reverse_filter: "full_2l",
      length,
      squash: numberOption(golden, "kernel_lam", "lam") ?? 0.1,
    },
    map: {
      "filters.0.taps": joinedChannels("kernel", [rows, stored], transpose, {
        kind: "slice",
        start: 0,
        stop: 2 * length,
      }),
      "skip.0": joinedChannels("D", [rows]),
      ...projection(golden, "output_linear.0"),
    },
  };
});

export const s4d = system("S4D", "S4D", (golden) => {
  const [, states = 1] = weightShape(golden, "kernel.log_A_real") ?? [];
  return {
    channels: 1,
    outProjection: "glu",
    filter: { kind: "modal", states, ...spanOf(golden) },
    map: {
      "filters.0.residues": "kernel.C",
      "filters.0.poles.real": "kernel.log_A_real",
      "filters.0.poles.imag": "kernel.A_imag",
      "filters.0.log_step": "kernel.log_dt",
      "skip.0": "D",
      ...projection(golden, "output_linear.0"),
    },
  };
});

export const sgConv = system("SGConv", "SGConv", (golden) => {
  const [channels = 1, width = 1] = weightShape(golden, "D") ?? [];
  const both = bidirectional(golden);
  const [, , size = 1] = weightShape(golden, "kernel_list.0") ?? [];
  let scales = 0;
  while (weightShape(golden, `kernel_list.${scales}`) !== undefined) scales++;
  const rows = channels * width;
  const named = (twin: string, start: number): [string, unknown][] => {
    // A bidirectional layer stores forward and reverse filters along the first axis.
    const half = (name: string, ...more: readonly unknown[]) =>
      from(name, ...(both ? [{ kind: "slice", start, stop: start + channels }] : []), ...more);
    return [
      ...Array.from({ length: scales }, (_, i): [string, unknown] => [
        `filters.0.${twin}scales.${i}`,
        half(`kernel_list.${i}`, { kind: "reshape", shape: [rows, size] }, transpose),
      ]),
      [`filters.0.${twin}norm`, half("kernel_norm", { kind: "reshape", shape: [rows] })],
      [`filters.0.${twin}multiplier`, multiplierOf(golden, channels, width)],
    ];
  };
  return {
    channels,
    outProjection: "linear",
    filter: {
      kind: "multiscale",
      kernel_dim: size,
      scales,
      length: numberOption(golden, "l_max"),
      ...spanOf(golden),
    },
    map: {
      ...Object.fromEntries([...named("", 0), ...(both ? named("reverse.", channels) : [])]),
      "skip.0": joinedChannels("D", [rows]),
      ...projection(golden, "output_linear"),
    },
    ignore: ["kernel_norm_initialized"],
  };
});

/** One multiplier per channel serves all of its filters. */
function multiplierOf(golden: GoldenCase, channels: number, width: number): unknown {
  const [rows = 1] = weightShape(golden, "multiplier") ?? [];
  return tiled("multiplier", channels / rows, 0, { kind: "reshape", shape: [channels * width] });
}

export function projection(golden: GoldenCase, name: string): Record<string, unknown> {
  const weight = weightShape(golden, `${name}.weight`);
  return {
    "out_proj.weight": weight?.length === 3 ? from(`${name}.weight`, squeeze(2)) : `${name}.weight`,
    ...(weightShape(golden, `${name}.bias`) !== undefined && { "out_proj.bias": `${name}.bias` }),
  };
}

/** in.u through the layer; also its kernel, the kernel's spectrum and what the projection gives before its gate. */
async function layer(golden: GoldenCase, work: string, described: Described): Promise<Computed[]> {
  const input = swapLastAxes(tensorOf(golden, "in.u"));
  const [batch = 1, length = 1, width = 1] = input.shape;
  const model = load(
    {
      name: golden.id,
      part: "mixer",
      width,
      seq_len: length,
      mixer: {
        kind: "long_conv",
        in_proj: { kind: "none" },
        filter: described.filter,
        channels: described.channels,
        activation: "gelu_erf",
        out_proj: { kind: described.outProjection },
      },
      weights: { file: golden.weightsFile, map: described.map, ignore: described.ignore ?? [] },
    },
    work,
  );
  const probes = probesOf(model.module, "mixer");
  const convolution = probes.ops("long_conv")[0];
  const graph = await openGraph(
    model,
    "mixer",
    { K: convolution?.operands[1], projected: probes.reading("out_proj.weight") },
    work,
  );
  const outputs = await graph.run({ x: floats([batch, length, width], input.data) });
  await graph.dispose();
  const lag0 = convolution?.attributes.lag0 as number;
  const channelsFirst = (data: Float64Array) =>
    swapLastAxes({ shape: [batch, length, data.length / (batch * length)], data }).data;
  const kernel = (name: string) => (values: Readonly<Record<string, Float64Array>>) =>
    kernelLayout(golden, name, values.K!, { width: width * described.channels, length, lag0 });
  const results: Computed[] = [
    { name: "out", ...mapEach(outputs, ({ y }) => channelsFirst(y!)) },
    { name: "mid.layer", ...mapEach(outputs, ({ y }) => y!) },
    // A layer on channels of [B, H, L] is a convolution of one tap; a linear layer reads [B, L, H].
    ...["mid.output_linear.0", "mid.output_linear"].map((name) => ({
      name,
      ...mapEach(outputs, ({ projected }) =>
        weightShape(golden, `${name.replace("mid.", "")}.weight`)?.length === 3
          ? channelsFirst(projected!)
          : projected!,
      ),
    })),
  ].filter(({ name }) => hasTensor(golden, name) && name !== "mid.layer");
  if (hasTensor(golden, "mid.layer")) results.push(await beforeProjection(golden, model, work, input.data));
  for (const name of ["mid.K", "mid.K_hat"])
    if (hasTensor(golden, name)) results.push({ name, ...mapEach(outputs, kernel(name)) });
  return results;
}

/** What out_proj reads: upstream's inner layer. */
async function beforeProjection(
  golden: GoldenCase,
  model: ReturnType<typeof load>,
  work: string,
  x: Float64Array,
): Promise<Computed> {
  const [batch = 1, width = 1, length = 1] = tensorOf(golden, "in.u").shape;
  const input = probesOf(model.module, "mixer").reader("out_proj.weight")?.operands[0];
  const graph = await openGraph(model, "mixer", { inner: input }, `${work}/inner`);
  const outputs = await graph.run({ x: floats([batch, length, width], x) });
  await graph.dispose();
  return { name: "mid.layer", ...mapEach(outputs, ({ inner }) => inner!) };
}

interface KernelSizes {
  readonly width: number;
  readonly length: number;
  readonly lag0: number;
}

/** Our taps [T, C], row lag0 the lag 0, as upstream records kernels: [C, n] by lag modulo n, or their spectra. */
function kernelLayout(
  golden: GoldenCase,
  name: string,
  taps: Float64Array,
  { width, length, lag0 }: KernelSizes,
): Float64Array {
  const { shape, data: expected } = tensorOf(golden, name);
  const spectrum = name === "mid.K_hat";
  const n = spectrum ? 2 * length : shape.at(-1)!;
  const count = taps.length / width;
  if (!spectrum && expected.length === 2 * width * n && n <= length) {
    // Forward filters, then reverse ones, whose last tap is beyond every lag.
    const tap = (twin: number, c: number, j: number): number => {
      const t = twin === 0 ? lag0 + j : lag0 - 1 - j;
      return t >= 0 && t < count ? taps[t * width + c]! : expected[(twin * width + c) * n + j]!;
    };
    return Float64Array.from({ length: 2 * width * n }, (_, at) =>
      tap(Math.floor(at / (width * n)), Math.floor(at / n) % width, at % n),
    );
  }
  const whole = hasTensor(golden, "mid.K") ? tensorOf(golden, "mid.K").data : undefined;
  const rows = Array.from({ length: width }, (_, c) => {
    const row = new Float64Array(n);
    for (let t = 0; t < count; t++) {
      const lag = t - lag0;
      if (lag < n && lag > -n) row[((lag % n) + n) % n]! += taps[t * width + c]!;
    }
    // The tap at lag n/2 of a kernel of two lengths is stored and never used.
    if (lag0 > 0 && n === 2 * length && whole !== undefined) row[length] = whole[c * n + length]!;
    return row;
  });
  if (!spectrum) return Float64Array.from(rows.flatMap((row) => [...row]));
  return realSpectrum(rows, n);
}
