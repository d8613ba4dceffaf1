// The classes of the texts of a checked generation: row b has class b, as far as there are.

import type { Classed } from "../diffusion/plan.js";

/** Classes [B], zeros of a model that is told none. */
export function classesOf({ classes }: Classed, batch: number): Int32Array {
  return Int32Array.from({ length: batch }, (_, row) => row % (classes?.count ?? 1));
}
