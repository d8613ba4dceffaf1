// Constants of a description that stand in the weights: LangFlow trains the location and scale of its schedule.

import type { Description } from "./description.js";

/** A constant of the noise schedule that a checkpoint tensor of one element holds. */
export interface WeightConstant {
  /** The field of `noise_schedule`. */
  readonly name: "loc" | "scale";
  /** Name of the tensor in the checkpoint; the name map does not apply. */
  readonly tensor: string;
  /** Where the description asks for it. */
  readonly pointer: string;
}

/** The constants that have to be read from the weights before a schedule can be computed. */
export function weightConstants(description: Description): WeightConstant[] {
  const schedule = "noise_schedule" in description ? description.noise_schedule : undefined;
  if (schedule?.family !== "gumbel_quantile") return [];
  return (["loc", "scale"] as const).flatMap((name) => {
    const value = schedule[name];
    return typeof value === "number"
      ? []
      : [{ name, tensor: value.from, pointer: `/noise_schedule/${name}` }];
  });
}
