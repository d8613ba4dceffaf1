// Grids of continuous times that are more than evenly spaced ones, noisiest first.

import { fail } from "../support/diagnostic.js";
import { normalNoise } from "./normal.js";
import type { ContinuousSchedule } from "./resolve.js";
import { deriveKey } from "./rng.js";
import { linspace } from "./schedules/family.js";

/** Options of `karras`. */
export interface KarrasGrid {
  readonly rho?: number;
  readonly sigma_max?: number;
  readonly sigma_min?: number;
}

/**
 * Times at which sigma / alpha = (a + i/(n-1) (b - a))^rho, a = sigma_max^(1/rho), b = sigma_min^(1/rho): found by halving,
 * since the noise of a schedule rises with time. Throws `timesteps/outside` for noise that the schedule does not reach.
 * Source: Karras et al. 2022, eq. 5.
 */
export function karrasTimes(grid: KarrasGrid, schedule: ContinuousSchedule, count: number): Float64Array {
  const { rho = 7, sigma_max: most = 80, sigma_min: least = 0.002 } = grid;
  const [first, last] = [most ** (1 / rho), least ** (1 / rho)];
  return Float64Array.from({ length: count }, (_, i) => {
    const sigma = (first + (count === 1 ? 0 : i / (count - 1)) * (last - first)) ** rho;
    return timeOf(schedule, sigma);
  });
}

/** The time in [0, 1] whose sigma / alpha is `sigma`. */
function timeOf(schedule: ContinuousSchedule, sigma: number): number {
  const noise = (t: number): number => Math.exp(schedule.at(t).gamma / 2);
  // Ends that are meant are not missed by rounding.
  const [least, most] = [noise(0) * (1 - 1e-9), noise(1) * (1 + 1e-9)];
  if (sigma < least || sigma > most)
    fail(
      "timesteps/outside",
      `the grid asks for sigma / alpha = ${sigma.toPrecision(6)}, and the schedule has ${noise(0).toPrecision(6)} to ${noise(1).toPrecision(6)}`,
      { pointer: "/timesteps", help: 'change "sigma_max" or "sigma_min"' },
    );
  let [low, high] = [0, 1];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return high;
    if (noise(middle) < sigma) low = middle;
    else high = middle;
  }
}

/** Options of `logit_normal`. */
export interface LogitNormalGrid {
  readonly mean?: number;
  readonly std?: number;
  readonly seed?: number;
}

/** 1, then sigmoid(mean + std n_k) sorted: n_k are the numbers of draw 0 of the seed. Source: ELF, sampling_utils.py. */
export function logitNormalTimes(
  { mean = 1.5, std = 0.8, seed = 0 }: LogitNormalGrid,
  count: number,
): Float64Array {
  const drawn = normalNoise(deriveKey(seed), 0, 1, count - 1, 1);
  const times = Float64Array.from(drawn, (n) => 1 / (1 + Math.exp(-(mean + std * n))));
  return Float64Array.from([1, ...times.sort().reverse()]);
}

/** Options of `warp`. */
export interface WarpGrid {
  readonly times: readonly number[];
  readonly cdf: readonly number[];
}

/**
 * F^-1 of evenly spaced values from F's largest to its least, F piecewise linear through (times, cdf), and times moved so
 * that the first knot is 0 and the last 1. Throws `timesteps/knots` for knots that do not rise, or were not read.
 * Source: Dieleman et al. 2022 (CDCD), section 4.
 */
export function warpTimes({ times, cdf }: WarpGrid, count: number): Float64Array {
  const rising = (values: unknown): boolean =>
    Array.isArray(values) && values.every((value, i) => i === 0 || value > values[i - 1]);
  if (!rising(times) || !rising(cdf) || times.length !== cdf.length)
    fail("timesteps/knots", "a warp needs as many times as values of its distribution, and both must rise", {
      pointer: "/timesteps/cdf",
      help: "write both lists out, or give the weights that they come with",
    });
  const last = cdf.length - 1;
  const span = times[last]! - times[0]!;
  return linspace(cdf[last]!, cdf[0]!, count).map((q) => {
    const after = Math.max(
      1,
      cdf.findIndex((value) => value >= q),
    );
    const [low, high] = [after - 1, after];
    const part = (q - cdf[low]!) / (cdf[high]! - cdf[low]!);
    return (times[low]! + part * (times[high]! - times[low]!) - times[0]!) / span;
  });
}
