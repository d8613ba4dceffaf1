// S4 layers of s4.py: diagonal and diagonal-plus-low-rank kernels, causal or in both directions.

import { type GoldenCase, numberOption, weightShape } from "../golden-case.js";
import { bidirectional, from, joinedChannels, projection, spanOf, system, tiled } from "./filters.js";

export const s4 = system("S4", "S4", (golden) => {
  const at = weightShape(golden, "layer.D") === undefined ? "" : "layer.";
  const kernel = `${at}kernel.`;
  const dplr = weightShape(golden, `${kernel}P`) !== undefined;
  const [, states = 1] = weightShape(golden, `${kernel}A_real`) ?? [];
  const [channels = 1, width = 1] = weightShape(golden, `${at}D`) ?? [];
  const [rank = 1] = weightShape(golden, `${kernel}P`) ?? [];
  const twins = bidirectional(golden) ? 2 : 1;
  const [copies = 1] = weightShape(golden, `${kernel}C`) ?? [];
  // B, A and P may be shared by several channels: row h of the kernel reads row h mod their number.
  const all = channels * width;
  const shared = (name: string, axis: number, ...more: readonly unknown[]): unknown =>
    tiled(`${kernel}${name}`, all / (weightShape(golden, `${kernel}${name}`)?.[axis] ?? all), axis, ...more);
  const named = (twin: string, start: number): [string, unknown][] => [
    [
      `filters.0.${twin}residues`,
      from(`${kernel}C`, ...(twins === 2 ? [{ kind: "slice", start, stop: start + copies / 2 }] : []), {
        kind: "reshape",
        shape: [all, states, 2],
      }),
    ],
    [`filters.0.${twin}poles.real`, shared("A_real", 0)],
    [`filters.0.${twin}poles.imag`, shared("A_imag", 0)],
    [`filters.0.${twin}log_step`, shared("inv_dt", 0, { kind: "reshape", shape: [all] })],
    [`filters.0.${twin}input`, shared("B", 1, { kind: "reshape", shape: [all, states, 2] })],
    ...(dplr ? ([[`filters.0.${twin}low_rank`, shared("P", 1)]] as [string, unknown][]) : []),
  ];
  const length = weightShape(golden, `${kernel}l_kernel`) === undefined ? undefined : storedLength(golden);
  return {
    channels,
    outProjection: "glu",
    filter: {
      kind: dplr ? "dplr" : "modal",
      states,
      poles: { imag: "negative" },
      ...(dplr ? { rank } : { input: "stored", discretization: golden.options.get("disc") ?? "zoh" }),
      ...(length !== undefined && { length }),
      ...spanOf(golden),
    },
    map: {
      ...Object.fromEntries([...named("", 0), ...(twins === 2 ? named("reverse.", copies / 2) : [])]),
      "skip.0": joinedChannels(`${at}D`, [channels * width]),
      ...projection(golden, "output_linear.0"),
    },
    ignore: [`${kernel}l_kernel`],
  };
});

/** The length a DPLR kernel's stored C belongs to. */
function storedLength(golden: GoldenCase): number | undefined {
  const stored = golden.weights?.info("layer.kernel.l_kernel")
    ? golden.weights.read("layer.kernel.l_kernel")[0]
    : 0;
  return stored !== undefined && stored > 0 ? stored : numberOption(golden, "l_max");
}
