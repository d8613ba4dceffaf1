// Euler's method for flow matching in the time a = alpha, clean at 1 (ELF, sampling_utils.py):
//   z_to = z + (a_to - a) v,   v = (x0 - z) / max(1 - a, t_eps).
// Churn g > 0 mixes noise in before the network is called, as ELF's SDE sampler does:
//   k = clip(1 - g (a_to - a), 0, 1),   z <- k z + (1 - k) s e,   a <- k a.

import type { NoiseLevel } from "../noise-level.js";
import type { GaussianSampler } from "./sampler.js";

/** s of x = a x0 + (1 - a) s e. */
const noiseScale = ({ alphaBar, sigma2 }: NoiseLevel): number =>
  Math.sqrt(sigma2) / (1 - Math.sqrt(alphaBar));

export function flow(churn = 0, leastLeft = 0.05): GaussianSampler {
  return {
    name: "flow",
    usesHistory: false,
    coefficients(from, to) {
      const time = Math.sqrt(from.alphaBar);
      const a = (Math.sqrt(to.alphaBar) - time) / Math.max(1 - time, leastLeft);
      return { a, b: 1 - a, c: 0, s: 0 };
    },
    ...(churn > 0 && {
      churn(from: NoiseLevel, to: NoiseLevel) {
        const time = Math.sqrt(from.alphaBar);
        const keep = Math.min(1, Math.max(0, 1 - churn * (Math.sqrt(to.alphaBar) - time)));
        const scale = noiseScale(from);
        const [alpha, sigma] = [keep * time, (1 - keep * time) * scale];
        const level = {
          alphaBar: alpha ** 2,
          sigma2: sigma ** 2,
          gamma: 2 * (Math.log(sigma) - Math.log(alpha)),
        };
        return { keep, noise: (1 - keep) * scale, level };
      },
    }),
  };
}
