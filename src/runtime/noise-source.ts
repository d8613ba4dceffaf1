// Where the noise of a generation comes from.

import { fixedStream, seededNoise, truncatedNoise } from "../diffusion/normal.js";
import { fail } from "../support/diagnostic.js";
import type { NoiseSource, StepRunner } from "./step-runner.js";

/** The noise of a generation: seeded (that of updates truncated where the plan says so), or the caller's numbers with their size checked. */
export function noiseSource(
  noise: number | bigint | NoiseSource,
  batch: number,
  { length, dim }: Pick<StepRunner, "length" | "dim">,
  truncation?: number,
): NoiseSource {
  if (typeof noise !== "function") {
    const whole = seededNoise(noise, batch, length, dim);
    const fixed = seededNoise(noise, batch, length, dim, fixedStream);
    const updates = truncation === undefined ? whole : truncatedNoise(noise, batch, length, dim, truncation);
    return (draw, use) => (use ? fixed : draw === 0 ? whole : updates)(draw);
  }
  return (draw, use) => {
    const given = noise(draw, use);
    if (given.length !== batch * length * dim)
      fail(
        "generate/noise-size",
        `the noise of draw ${draw} has ${given.length} numbers; ${batch} x ${length} x ${dim} are needed`,
      );
    return given;
  };
}
