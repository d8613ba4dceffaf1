// The inference grid: which noise levels a sampler visits. For tables of T trained steps it is a list of
// indices, for continuous schedules a list of times (or quantiles), noisiest first.

import { fail } from "../support/diagnostic.js";

/** Round to the nearest integer, halves to the even one, as Python's `round` does. */
export function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const part = x - low;
  if (part !== 0.5) return part < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/**
 * `spaced`: cut 0 .. T-1 into `sections.length` equal runs (a remainder goes to the first ones) and pick
 * `sections[s]` indices from run s: start + round(c) with c = 0, h, h + h, ... (a running float64 sum; its
 * rounding error is part of the definition), h = (size - 1) / (n - 1), halves to even. Ascending.
 * Source: improved-diffusion, `space_timesteps`. Throws `timesteps/too-many` when a run is too short.
 */
export function spacedIndices(trainSteps: number, sections: readonly number[]): Int32Array {
  const base = Math.floor(trainSteps / sections.length);
  const longer = trainSteps % sections.length;
  const picked: number[] = [];
  let start = 0;
  for (const [section, count] of sections.entries()) {
    const size = base + (section < longer ? 1 : 0);
    if (count > size)
      fail(
        "timesteps/too-many",
        `section ${section} asks for ${count} of its ${size} steps (${trainSteps} training steps in ${sections.length} sections)`,
        { pointer: "/timesteps", help: `ask for at most ${size} steps there` },
      );
    const stride = count <= 1 ? 1 : (size - 1) / (count - 1);
    let position = 0;
    for (let k = 0; k < count; k++) {
      picked.push(start + roundHalfEven(position));
      position += stride;
    }
    start += size;
  }
  return Int32Array.from(picked);
}

/**
 * `ddim_stride`: 0, s, 2s, ... for the least whole stride s that gives exactly `count` indices below T.
 * Throws `timesteps/no-stride` when there is none (T = 10 has no stride with 6 steps).
 */
export function ddimStrideIndices(trainSteps: number, count: number): Int32Array {
  for (let stride = 1; stride <= trainSteps; stride++)
    if (Math.ceil(trainSteps / stride) === count)
      return Int32Array.from({ length: count }, (_, k) => k * stride);
  const possible = new Set<number>();
  for (let stride = 1; stride <= trainSteps; stride++) possible.add(Math.ceil(trainSteps / stride));
  const nearest = [...possible].sort((p, q) => Math.abs(p - count) - Math.abs(q - count)).slice(0, 3);
  return fail(
    "timesteps/no-stride",
    `no whole stride through ${trainSteps} training steps visits exactly ${count}`,
    { pointer: "/timesteps", help: `the nearest counts that work are ${nearest.join(", ")}` },
  );
}

/**
 * `gap`: T-1, T-1-g, .. while they are steps, g = floor(T / count). Ascending. Source: DiffuSeq, sample_seq2seq.py.
 * Throws `timesteps/too-many` for more than T.
 */
export function gapIndices(trainSteps: number, count: number): Int32Array {
  const gap = Math.floor(trainSteps / count);
  if (gap === 0)
    fail("timesteps/too-many", `${count} steps do not fit into ${trainSteps} training steps`, {
      pointer: "/timesteps",
      help: `ask for at most ${trainSteps}`,
    });
  const visited = Math.ceil(trainSteps / gap);
  return Int32Array.from({ length: visited }, (_, k) => trainSteps - 1 - (visited - 1 - k) * gap);
}

/** `all`: every trained step. */
export function allIndices(trainSteps: number): Int32Array {
  return Int32Array.from({ length: trainSteps }, (_, i) => i);
}
