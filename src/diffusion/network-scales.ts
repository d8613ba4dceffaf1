// The factors between a sampler's state and a network, at one noise level: the network reads c_in x_t, and
// x0 = c_skip x_t + c_out output. With x_t = alpha x0 + sigma e every prediction type is such a pair:
//   epsilon   (x - sigma out) / alpha
//   v         out = alpha e - sigma x0: (alpha x - sigma out) / (alpha^2 + sigma^2)   (Salimans and Ho 2022, appendix D)
//   score     out = -e / sigma: (x + sigma^2 out) / alpha
//   velocity  out = x0 - s e on the straight path x = a x0 + (1 - a) s e: x + (1 - a) out
//   edm       Karras et al. 2022, table 1, for x / alpha and sigma / alpha

import type { NoiseLevel } from "./noise-level.js";

/** What a description says about them. */
export interface NetworkScaling {
  readonly target?: string;
  /** Standard deviation of a coordinate of x0. */
  readonly dataStd?: number;
  /** Whether the input is divided by its standard deviation. */
  readonly unitInput?: boolean;
}

/** The inputs of @denoise and @step by name; only those that the description needs. */
export interface NetworkScales {
  readonly c_in?: number;
  readonly c_skip?: number;
  readonly c_out?: number;
}

type Pair = (alpha: number, sigma: number, dataStd: number) => readonly [skip: number, out: number];

/** Prediction types whose output is not x0. */
export const outputMaps: Readonly<Record<string, Pair>> = {
  epsilon: (alpha, sigma) => [1 / alpha, -sigma / alpha],
  v: (alpha, sigma) => [alpha / (alpha ** 2 + sigma ** 2), -sigma / (alpha ** 2 + sigma ** 2)],
  score: (alpha, sigma) => [1 / alpha, sigma ** 2 / alpha],
  velocity: (alpha) => [1, 1 - alpha],
  edm(alpha, sigma, std) {
    const power = sigma ** 2 + (alpha * std) ** 2;
    return [(alpha * std ** 2) / power, (sigma * std) / Math.sqrt(power)];
  },
};

/** The factors at a level. */
export function networkScales(
  { target = "x0", dataStd = 1, unitInput = false }: NetworkScaling,
  level: NoiseLevel,
): NetworkScales {
  const [alpha, sigma] = [Math.sqrt(level.alphaBar), Math.sqrt(level.sigma2)];
  const map = outputMaps[target]?.(alpha, sigma, dataStd);
  return {
    ...(unitInput && { c_in: 1 / Math.hypot(alpha * dataStd, sigma) }),
    ...(map && { c_skip: map[0], c_out: map[1] }),
  };
}
