// Hyena (safari, standalone_hyena.py): the operator alone, causal, order 2 and more. One filter network makes the
// taps of all order - 1 convolutions; output o d + c belongs to channel c of convolution o.

import { floats, load, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import {
  firstTensor,
  type GoldenCase,
  type GoldenTensor,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { firstOfLast, realSpectrum, swapLastAxes } from "../layout.js";
import { probesOf } from "../probes.js";
import { filterDescription, filterWeights, vector, type WeightMap } from "./implicit-filter.js";
import type { GoldenSystem } from "./system.js";

export const hyena: GoldenSystem = {
  name: "Hyena",
  covers: (golden) =>
    golden.system === "Hyena" && weightShape(golden, "filter_fn.implicit_filter.0.weight") !== undefined,
  compute,
};

interface Sizes {
  readonly width: number;
  readonly order: number;
  readonly length: number;
}

function sizesOf(golden: GoldenCase): Sizes {
  const [streams = 1, width = 1] = weightShape(golden, "in_proj.weight") ?? [];
  const built = weightShape(golden, "filter_fn.pos_emb.z")?.[1] ?? 1;
  const { shape } = inputOf(golden);
  return {
    width,
    order: streams / width - 1,
    // Upstream cuts a longer input to l_max; nothing in the operator looks ahead.
    length: Math.min(shape[1]!, built),
  };
}

function inputOf(golden: GoldenCase): GoldenTensor {
  return firstTensor(golden, "in.u", "in.x", "in") ?? tensorOf(golden, "in.u");
}

/** The description of a case. */
function describeHyena(golden: GoldenCase): Record<string, unknown> {
  const { width, order, length } = sizesOf(golden);
  const taps = weightShape(golden, "short_filter.weight")?.[2] ?? numberOption(golden, "short_filter_order");
  const map: Record<string, WeightMap[string]> = {
    "short_conv.weight": vector("short_filter.weight", [1]),
    "short_conv.bias": "short_filter.bias",
  };
  const ignore = new Set<string>();
  for (let o = 0; o < order - 1; o++) {
    const channels = order === 2 ? undefined : { start: o * width, stop: (o + 1) * width };
    const filter = filterWeights(golden, `filters.${o}`, "filter_fn", channels);
    Object.assign(map, filter.map, { [`skip.${o}`]: vector("filter_fn.bias", [], channels) });
    for (const name of filter.ignore) ignore.add(name);
  }
  return {
    name: golden.id,
    part: "mixer",
    width,
    seq_len: length,
    mixer: {
      kind: "long_conv",
      gating: { kind: "hyena", order },
      short_conv: { kind: "depthwise", taps },
      filter: { ...filterDescription(golden, "filter_fn"), span: "causal" },
    },
    weights: { file: golden.weightsFile, map, ignore: [...ignore] },
  };
}

async function compute(golden: GoldenCase, work: string): Promise<readonly Computed[]> {
  const { width, order, length } = sizesOf(golden);
  const model = load(describeHyena(golden), work);
  const probes = probesOf(model.module, "mixer");
  const [short, ...long] = probes.ops("long_conv");
  const convolutions = long.map((op, o) => [o, op] as const);
  const graph = await openGraph(
    model,
    "mixer",
    {
      "mid.in_proj": probes.reading("in_proj.weight"),
      "mid.short_filter": probes.after(short?.results[0], "add"),
      ...Object.fromEntries(
        convolutions.flatMap(([o, op]) => [
          [`mid.conv${o}.in`, op.operands[0]],
          [`mid.conv${o}.K`, op.operands[1]],
          [`mid.conv${o}.out`, op.results[0]],
        ]),
      ),
    },
    work,
  );
  const input = inputOf(golden);
  const batch = input.shape[0]!;
  const x = floats([batch, length, width], swapLastAxes(firstOfLast(swapLastAxes(input), length)).data);
  const outputs = await graph.run({ x });
  await graph.dispose();
  const results: Computed[] = [{ name: "out", ...mapEach(outputs, (values) => values.y!) }];
  const add = (name: string, shape: readonly number[], more: Partial<Computed> = {}): void => {
    if (!hasTensor(golden, name)) return;
    const ours = (values: Readonly<Record<string, Float64Array>>) =>
      shape.length === 0 ? values[name]! : swapLastAxes({ shape, data: values[name]! }).data;
    results.push({ name, ...mapEach(outputs, ours), ...more });
  };
  // Upstream projects all of a longer input and cuts afterwards.
  if (input.shape[1] === length) add("mid.in_proj", []);
  // Upstream records Conv1d before it drops the positions after the last; those have no counterpart.
  if (hasTensor(golden, "mid.short_filter"))
    add("mid.short_filter", [batch, length, (order + 1) * width], {
      expected: firstOfLast(tensorOf(golden, "mid.short_filter"), length).data,
    });
  for (const [o] of convolutions) {
    add(`mid.conv${o}.in`, [batch, length, width]);
    add(`mid.conv${o}.out`, [batch, length, width]);
    add(`mid.conv${o}.K`, [length, width]);
    const spectrum = `mid.conv${o}.K_hat`;
    if (hasTensor(golden, spectrum))
      results.push({
        name: spectrum,
        ...mapEach(outputs, (values) => spectrumOf(values[`mid.conv${o}.K`]!, length, width)),
      });
  }
  return results;
}

/** rfft of length 2L of each channel of taps [L, d]. */
function spectrumOf(taps: Float64Array, length: number, width: number): Float64Array {
  const { data } = swapLastAxes({ shape: [length, width], data: taps });
  const rows = Array.from({ length: width }, (_, c) => data.subarray(c * length, (c + 1) * length));
  return realSpectrum(rows, 2 * length);
}
