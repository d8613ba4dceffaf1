// The straight path of flow matching, x_t = (1 - t) x_0 + t s e (Lipman et al. 2023; Liu et al. 2023). Powers do not sum
// to one: the state is that of the papers, not its variance-preserving multiple. ELF (arXiv 2605.10938) has s = 2 and
// counts time from the noisy end, so its time is alpha.

import type { ScheduleFamily } from "./family.js";

export const flow: ScheduleFamily<{ readonly noise_scale: number }> = {
  defaults: { noise_scale: 1 },
  bind: ({ noise_scale: scale }) => ({
    kind: "formula",
    at: (t) => ({
      alphaBar: (1 - t) ** 2,
      sigma2: (t * scale) ** 2,
      gamma: 2 * (Math.log(t * scale) - Math.log1p(-t)),
    }),
  }),
};
