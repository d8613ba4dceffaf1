// A convolution layer that is one filter, an activation and a projection, alone: LongConv, S4D, S4, SGConv. Upstream's layout
// is [B, H, L] unless the case says transposed: false.

import { floats, load, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import { flagOption, type GoldenCase, hasTensor, tensorOf, weightShape } from "../golden-case.js";
import { realSpectrum, swapLastAxes } from "../layout.js";
import { probesOf } from "../probes.js";
import type { GoldenSystem } from "./system.js";

/** The fields of out_proj, and which weights are its own. */
export interface Projected {
  readonly field: Readonly<Record<string, unknown>>;
  readonly map: Readonly<Record<string, unknown>>;
}

/** What a system says of its filter: the field, and where its parameters are stored. */
export interface Described {
  readonly filter: Readonly<Record<string, unknown>>;
  readonly map: Readonly<Record<string, unknown>>;
  readonly ignore?: readonly string[];
  /** Filters per channel. */
  readonly channels: number;
  readonly outProjection: Projected;
}

export function system(
  name: string,
  isOurs: (golden: GoldenCase) => boolean,
  describe: (golden: GoldenCase) => Described,
): GoldenSystem {
  return {
    name,
    covers: (golden) => isOurs(golden) && hasTensor(golden, "in.u"),
    compute: (golden, work) => layer(golden, work, describe(golden)),
  };
}

/** Sequence length and width of in.u. */
export function inputSizes(golden: GoldenCase): { readonly length: number; readonly width: number } {
  const [, width = 1, length = 1] = tensorOf(golden, "in.u").shape;
  return flagOption(golden, "transposed") === false ? { length: width, width: length } : { length, width };
}

/** Upstream's names of activations. A layer without one says null or leaves the option out, whatever its default is. */
const activations: Readonly<Record<string, string>> = {
  gelu: "gelu_erf",
  relu: "relu",
  silu: "silu",
  swish: "silu",
  tanh: "tanh",
  id: "none",
  identity: "none",
  linear: "none",
};

/** The activation an option names. */
export function activationOf({ options }: GoldenCase, name: string, otherwise: string): string {
  const stated = options.get(name);
  if (stated === undefined) return otherwise;
  return stated === null ? "none" : (activations[String(stated)] ?? String(stated));
}

/** in.u through the layer; also its kernel, the kernel's spectrum and what the projection gives before its gate. */
async function layer(golden: GoldenCase, work: string, described: Described): Promise<Computed[]> {
  const stored = tensorOf(golden, "in.u");
  const first = flagOption(golden, "transposed") !== false;
  const input = first ? swapLastAxes(stored) : stored;
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
        // SGConv's linear layers have neither activation nor projection.
        activation:
          flagOption(golden, "linear") === true ? "none" : activationOf(golden, "activation", "gelu_erf"),
        out_proj: described.outProjection.field,
      },
      weights: {
        file: golden.weightsFile,
        map: { ...described.map, ...described.outProjection.map },
        ignore: described.ignore ?? [],
      },
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
    { name: "out", ...mapEach(outputs, ({ y }) => (first ? channelsFirst(y!) : y!)) },
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
  const [batch = 1] = tensorOf(golden, "in.u").shape;
  const { width, length } = inputSizes(golden);
  const input = probesOf(model.module, "mixer").reader("out_proj.weight")?.operands[0];
  const graph = await openGraph(model, "mixer", { inner: input }, `${work}/inner`);
  const outputs = await graph.run({ x: floats([batch, length, width], x) });
  await graph.dispose();
  return { name: "mid.layer", ...mapEach(outputs, ({ inner }) => swapped(golden, inner!, width)) };
}

/** Channels (filter, channel) as upstream has them with swap_channels: (channel, filter). */
function swapped(golden: GoldenCase, rows: Float64Array, width: number): Float64Array {
  const filters = (weightShape(golden, "layer.D") ?? [1])[0]!;
  if (flagOption(golden, "swap_channels") !== true) return rows;
  return swapLastAxes({ shape: [rows.length / (filters * width), filters, width], data: rows }).data;
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
  const stored = hasTensor(golden, "mid.K") ? tensorOf(golden, "mid.K") : undefined;
  const stride = stored?.shape.at(-1) ?? 0;
  const rows = Array.from({ length: width }, (_, c) =>
    Float64Array.from({ length: n }, (_, p) => {
      // Upstream transforms 2 L entries: the second half is lags from below. Of both kinds of kernels the entry between
      // the halves and what is stored behind them are read by nobody.
      const unread = p === length || p >= 2 * length;
      if (lag0 > 0 && unread) return p < stride ? stored!.data[c * stride + p]! : 0;
      const t = lag0 + (p < length ? p : p - 2 * length);
      return t >= 0 && t < count ? taps[t * width + c]! : 0;
    }),
  );
  if (!spectrum) return Float64Array.from(rows.flatMap((row) => [...row]));
  return realSpectrum(rows, n);
}
