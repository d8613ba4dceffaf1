// Uniform numbers of categorical draws. u of (draw, row, position, category) is a pure function of the seed and these
// four, so a row or a prefix gets the same numbers alone and in company. With r_0 and r_1 the Squares32 outputs at the
// counters low word 2 (position n + category) + {0, 1}, high word row 2^16 + draw, stream 1:
//   u = (r_0 + (r_1 + 1/2) 2^-32) 2^-32,
// 64 bits, never 0 or 1 (in float64, at least 2^-65): a float32 uniform would bend the race of small weights.

import { deriveKey, squares32, uniform } from "../rng.js";

/** u in (0, 1) of a draw (update k of the plan: k + 1; the final call: one more), a row, a position, a category. */
export type UniformSource = (draw: number, row: number, position: number, category: number) => number;

/** The source of a seed, for `categories` categories a position. */
export function seededUniforms(seed: number | bigint, categories: number): UniformSource {
  const key = deriveKey(seed, 1);
  return (draw, row, position, category) => {
    const high = (row * 0x10000 + draw) | 0;
    const low = 2 * (position * categories + category);
    return uniform(squares32(key, high, low | 0) + uniform(squares32(key, high, (low + 1) | 0)) - 0.5);
  };
}
