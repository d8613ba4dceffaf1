// Cosine: alpha_bar(t) = cos^p((t + s) / (1 + s) * pi / 2), s = 0.008, p = 2.
// Source: Nichol and Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", eq. 17; p = 1 of Hoogeboom et al.
// 2021, "Argmax Flows and Multinomial Diffusion", and D3PM.

import { levelFromPowers } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

export const cosine: ScheduleFamily<{ readonly offset: number; readonly power: number }> = {
  defaults: { offset: 0.008, power: 2 },
  bind: ({ offset, power }) => ({
    kind: "formula",
    at(t) {
      const angle = (((t + offset) / (1 + offset)) * Math.PI) / 2;
      const sine2 = Math.sin(angle) ** 2;
      // 1 - cos^p without the subtraction: 1 - (1 - sin^2)^(p/2).
      const sigma2 = power === 2 ? sine2 : -Math.expm1((power / 2) * Math.log1p(-sine2));
      return levelFromPowers(Math.cos(angle) ** power, sigma2);
    },
  }),
};
