// Where the random numbers of a simplex state come from: a seed, or the caller's own (a recorded run).

import { seededUniforms, type UniformSource } from "../../diffusion/discrete/draws.js";
import { fail } from "../../support/diagnostic.js";
import type { TokenDraws } from "../discrete/driver.js";
import { noiseSource } from "../noise-source.js";
import type { NoiseSource } from "../step-runner.js";

/** Numbers of the caller's own. */
export interface SimplexDraws {
  /** Standard normal, [B, L, V]: of the first state (draw 0) and of update k (draw k). */
  readonly normal: NoiseSource;
  /** What a projection draws with; those of seed 0 where it is left out. */
  readonly uniform?: UniformSource;
  /**
   * The token that the projection of update `draw` takes at a position; `fed_back`: that of self-conditioning. Undefined:
   * the one that is drawn.
   */
  readonly chosen?: (draw: number, row: number, position: number, use?: "fed_back") => number | undefined;
}

/** The draws of a generation. Throws `generate/noise-kind` and what `noiseSource` throws. */
export function simplexDraws(
  noise: number | bigint | NoiseSource | TokenDraws | SimplexDraws = 0,
  batch: number,
  { length, vocabulary }: { readonly length: number; readonly vocabulary: number },
  truncation: number | undefined,
): Required<Omit<SimplexDraws, "chosen">> & Pick<SimplexDraws, "chosen"> {
  const size = { length, dim: vocabulary };
  if (typeof noise !== "object")
    return {
      normal: noiseSource(noise, batch, size, truncation),
      uniform: seededUniforms(typeof noise === "function" ? 0 : noise, vocabulary),
    };
  if (!("normal" in noise))
    return fail("generate/noise-kind", "draws of tokens were given for a simplex state", {
      help: "give a seed, or { normal }",
    });
  const { normal, uniform = seededUniforms(0, vocabulary), chosen } = noise;
  return { normal: noiseSource(normal, batch, size, truncation), uniform, ...(chosen && { chosen }) };
}
