// The number that a network is told about the noise level: what its time features take.

import type { GridPoint } from "./grid.js";
import { totalNoise } from "./noise-level.js";

/** `time_conditioning` of a description, as far as the sampler's table needs it. */
export interface TimeInputDescription {
  readonly input?:
    | "t"
    | "t_index"
    | "t_scaled"
    | "gamma"
    | "alpha"
    | "sigma"
    | "log_sigma"
    | "total_noise"
    | "constant"
    | "zero";
  /** Factor of the number: 1000 / T for Diffusion-LM's rescaled steps, 1000 for LD4LG's alpha. */
  readonly scale?: number;
}

/**
 * The `level` input of @denoise at a visited point: scale times the number. The index is that of training, never the
 * respaced one; t_scaled is the index of a table, t in continuous time. Without an `input` a table gives its index and
 * continuous time gives t.
 */
export function timeInput(description: TimeInputDescription, point: GridPoint): number {
  return (description.scale ?? 1) * numberOf(description, point);
}

/** What the number changes with: the visited time, the noise that the schedule has there, or neither. */
export function readBy(input: TimeInputDescription["input"] = "t"): "time" | "noise" | "neither" {
  switch (input) {
    case "t":
    case "t_index":
    case "t_scaled":
      return "time";
    case "constant":
    case "zero":
      return "neither";
    default:
      return "noise";
  }
}

function numberOf({ input }: TimeInputDescription, { t, index, level }: GridPoint): number {
  switch (input ?? (index === undefined ? "t" : "t_index")) {
    case "t":
      return t;
    case "t_index":
    case "t_scaled":
      return index ?? t;
    case "gamma":
      return level.gamma;
    case "alpha":
      return Math.sqrt(level.alphaBar);
    case "sigma":
      return Math.sqrt(level.sigma2);
    case "log_sigma":
      return Math.log(level.sigma2) / 2;
    case "total_noise":
      return totalNoise(level);
    case "constant":
      return 1;
    case "zero":
      return 0;
  }
}
