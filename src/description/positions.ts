// Which numbers of a sampling step have a position axis: noise, where the schedule or the grid has one, and what the network
// is told, where it follows what differs.

import { levelsDiffer, timesDiffer } from "../diffusion/position-grid.js";
import { readBy } from "../diffusion/time-input.js";
import type { ModelDescription, SamplerDescription } from "./description.js";

/** What positions have of their own. */
export interface PositionAxes {
  /** Noise: the sampler's coefficients and factors of the noise level. */
  readonly noise: boolean;
  /** The number that the time features take. A network told the step alone has one, whatever its schedule. */
  readonly level: boolean;
}

type Sampled = Pick<
  ModelDescription | SamplerDescription,
  "noise_schedule" | "timesteps" | "time_conditioning"
>;

/** The axes of a description. */
export function positionAxes({
  noise_schedule: schedule,
  timesteps,
  time_conditioning: time,
}: Sampled): PositionAxes {
  const noise = levelsDiffer(schedule, timesteps);
  if (time.injection === "none") return { noise, level: false };
  const read = readBy(time.input);
  return { noise, level: read === "noise" ? noise : read === "time" && timesDiffer(timesteps) };
}
