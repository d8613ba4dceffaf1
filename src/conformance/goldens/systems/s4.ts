// S4 layers of s4.py: diagonal and diagonal-plus-low-rank kernels, causal or in both directions.

import { flagOption, type GoldenCase, numberOption, weightShape } from "../golden-case.js";
import { bidirectional, from, joinedChannels, projection, spanOf, tiled } from "./filters.js";
import { system } from "./layer.js";

const isS4 = (golden: GoldenCase): boolean =>
  ["S4", "S4D"].includes(golden.system) &&
  ["", "layer."].some((at) => weightShape(golden, `${at}kernel.A_real`) !== undefined);

export const s4 = system("S4", isS4, (golden) => {
  const at = weightShape(golden, "layer.D") === undefined ? "" : "layer.";
  const kernel = `${at}kernel.`;
  const dplr = weightShape(golden, `${kernel}P`) !== undefined;
  const real = weightShape(golden, `${kernel}A_imag`) === undefined;
  const [, states = 1] = weightShape(golden, `${kernel}A_real`) ?? [];
  const [channels = 1, width = 1] = weightShape(golden, `${at}D`) ?? [];
  const [rank = 1] = weightShape(golden, `${kernel}P`) ?? [];
  const twins = bidirectional(golden) ? 2 : 1;
  const [copies = 1] = weightShape(golden, `${kernel}C`) ?? [];
  const [, steps = 1] = weightShape(golden, `${kernel}inv_dt`) ?? [];
  const perState = steps > 1 || (states === 1 && flagOption(golden, "dt_tie") === false);
  // B, A and P may be shared by several channels: row h of the kernel reads row h mod their number.
  const all = channels * width;
  const shared = (name: string, axis: number, ...more: readonly unknown[]): unknown =>
    tiled(`${kernel}${name}`, all / (weightShape(golden, `${kernel}${name}`)?.[axis] ?? all), axis, ...more);
  const pairs = { kind: "reshape", shape: real ? [all, states] : [all, states, 2] };
  const named = (twin: string, start: number): [string, unknown][] => [
    [
      `filters.0.${twin}residues`,
      from(`${kernel}C`, ...(twins === 2 ? [{ kind: "slice", start, stop: start + copies / 2 }] : []), pairs),
    ],
    [`filters.0.${twin}poles.real`, shared("A_real", 0)],
    ...(real ? [] : ([[`filters.0.${twin}poles.imag`, shared("A_imag", 0)]] as [string, unknown][])),
    [
      `filters.0.${twin}log_step`,
      shared("inv_dt", 0, { kind: "reshape", shape: perState ? [all, states] : [all] }),
    ],
    [`filters.0.${twin}input`, shared("B", 1, pairs)],
    ...(dplr ? ([[`filters.0.${twin}low_rank`, shared("P", 1)]] as [string, unknown][]) : []),
  ];
  const length = lengthOf(golden, kernel);
  return {
    channels,
    outProjection: projection(golden),
    filter: {
      kind: dplr ? "dplr" : "modal",
      states,
      poles: {
        real: negative(golden, "real_transform", "exp"),
        imag: real ? "none" : negative(golden, "imag_transform", "none"),
      },
      step: {
        transform: golden.options.get("dt_transform") ?? "exp",
        per: perState ? "state" : "filter",
        sinh: flagOption(golden, "dt_fast") === true,
      },
      ...(dplr
        ? { rank }
        : {
            input: "stored",
            discretization: golden.options.get("disc") ?? "zoh",
            bandlimit: numberOption(golden, "bandlimit") ?? 0,
            beyond: "zero",
          }),
      ...(length !== undefined && { length }),
      ...spanOf(golden),
    },
    map: {
      ...Object.fromEntries([...named("", 0), ...(twins === 2 ? named("reverse.", copies / 2) : [])]),
      "skip.0": joinedChannels(`${at}D`, [channels * width]),
    },
    ignore: dplr ? [`${kernel}l_kernel`] : [],
  };
});

/** A part of the poles: minus its stored number under the named transform. */
function negative({ options }: GoldenCase, option: string, otherwise: string): string {
  const transform = String(options.get(option) ?? otherwise);
  return transform === "none" ? "negative" : `negative_${transform}`;
}

/** The length a DPLR kernel's stored C belongs to, else the most taps a kernel has. */
function lengthOf(golden: GoldenCase, kernel: string): number | undefined {
  const name = `${kernel}l_kernel`;
  const stored = golden.weights?.info(name) ? golden.weights.read(name)[0] : 0;
  return stored !== undefined && stored > 0 ? stored : numberOption(golden, "l_max");
}
