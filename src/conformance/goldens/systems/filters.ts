// The filters of LongConv, S4D and SGConv as cases store them.

import { flagOption, type GoldenCase, numberOption, weightShape } from "../golden-case.js";
import { activationOf, inputSizes, type Projected, system } from "./layer.js";

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

export const bidirectional = (golden: GoldenCase): boolean => flagOption(golden, "bidirectional") === true;
export const spanOf = (golden: GoldenCase) =>
  bidirectional(golden) ? { span: "bidirectional", reverse_filter: "offset_lag1" } : { span: "causal" };

const named =
  (name: string) =>
  (golden: GoldenCase): boolean =>
    golden.system === name;

/** s4d.py's own class; S4's diagonal kernel stores other parameters (s4.ts). */
const s4dAlone = (golden: GoldenCase): boolean =>
  golden.system === "S4D" && weightShape(golden, "kernel.log_A_real") !== undefined;

export const longConv = system("LongConv", named("LongConv"), (golden) => {
  const [channels = 1, width = 1, stored = 2] = weightShape(golden, "kernel") ?? [];
  const rows = channels * width;
  // Upstream cuts or fills the stored kernel to 2 L entries; negative lags are the second half of those.
  const { length } = inputSizes(golden);
  const fitted =
    2 * length > stored ? { kind: "pad", to: 2 * length } : { kind: "slice", start: 0, stop: 2 * length };
  return {
    channels,
    outProjection: projection(golden),
    filter: {
      kind: "explicit",
      span: "bidirectional",
      reverse_filter: "full_2l",
      length,
      squash: numberOption(golden, "kernel_lam", "lam") ?? 0.1,
    },
    map: {
      "filters.0.taps": joinedChannels("kernel", [rows, stored], transpose, fitted),
      "skip.0": joinedChannels("D", [rows]),
    },
  };
});

export const s4d = system("S4D", s4dAlone, (golden) => {
  const [, states = 1] = weightShape(golden, "kernel.log_A_real") ?? [];
  return {
    channels: 1,
    outProjection: projection(golden),
    filter: { kind: "modal", states, ...spanOf(golden) },
    map: {
      "filters.0.residues": "kernel.C",
      "filters.0.poles.real": "kernel.log_A_real",
      "filters.0.poles.imag": "kernel.A_imag",
      "filters.0.log_step": "kernel.log_dt",
      "skip.0": "D",
    },
  };
});

export const sgConv = system("SGConv", named("SGConv"), (golden) => {
  const [channels = 1, width = 1] = weightShape(golden, "D") ?? [];
  const both = bidirectional(golden);
  const mode = String(golden.options.get("mode") ?? "cat_randn");
  const learnable = mode.includes("learnable");
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
      learnable
        ? [`filters.0.${twin}decay`, tiled("decay", channels, 0)]
        : [`filters.0.${twin}multiplier`, multiplierOf(golden, channels, width)],
    ];
  };
  return {
    channels,
    outProjection: projection(golden, "postact"),
    filter: {
      kind: "multiscale",
      kernel_dim: size,
      scales,
      combine: mode.includes("sum") ? "sum" : "cat",
      interpolation: mode.includes("nearest") ? "nearest" : "linear",
      init_scale: numberOption(golden, "init_scale") ?? 0,
      damping: learnable ? "power" : "multiplier",
      length: numberOption(golden, "l_max"),
      ...spanOf(golden),
    },
    map: {
      ...Object.fromEntries([...named("", 0), ...(both ? named("reverse.", channels) : [])]),
      "skip.0": joinedChannels("D", [rows]),
    },
    ignore: ["kernel_norm_initialized", ...(learnable ? ["multiplier"] : [])],
  };
});

/** One multiplier per channel serves all of its filters. */
function multiplierOf(golden: GoldenCase, channels: number, width: number): unknown {
  const [rows = 1] = weightShape(golden, "multiplier") ?? [];
  return tiled("multiplier", channels / rows, 0, { kind: "reshape", shape: [channels * width] });
}

/**
 * What follows the activation, from the shapes of output_linear: nothing, a layer, or a layer twice as wide and a gate. A
 * layer with an activation is upstream's Sequential, its first entry. With swap_channels its inputs are (channel, filter).
 */
export function projection(golden: GoldenCase, option = "final_act"): Projected {
  const name = ["output_linear.0", "output_linear"].find(
    (at) => weightShape(golden, `${at}.weight`) !== undefined,
  );
  if (name === undefined) return { field: { kind: "none" }, map: {} };
  const [rows = 1, columns = 1, taps] = weightShape(golden, `${name}.weight`)!;
  const gated = rows === 2 * inputSizes(golden).width;
  const biased = weightShape(golden, `${name}.bias`) !== undefined;
  const copies = columns / inputSizes(golden).width;
  const swapped = flagOption(golden, "swap_channels") === true && copies > 1;
  const transforms = [
    ...(taps === undefined ? [] : [squeeze(2)]),
    ...(swapped
      ? [
          { kind: "reshape", shape: [rows, columns / copies, copies] },
          { kind: "transpose", axes: [0, 2, 1] },
          { kind: "reshape", shape: [rows, columns] },
        ]
      : []),
  ];
  return {
    field: gated
      ? { kind: "glu", bias: biased }
      : { kind: "linear", bias: biased, activation: activationOf(golden, option, "none") },
    map: {
      "out_proj.weight": transforms.length === 0 ? `${name}.weight` : from(`${name}.weight`, ...transforms),
      ...(biased && { "out_proj.bias": `${name}.bias` }),
    },
  };
}
