// Cosine: alpha_bar(t) = cos^2((t + s) / (1 + s) * pi / 2), s = 0.008.
// Source: Nichol and Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", eq. 17.

import { levelFromPowers } from "../noise-level.js";
import type { ScheduleFamily } from "./family.js";

export const cosine: ScheduleFamily<{ readonly offset: number }> = {
  defaults: { offset: 0.008 },
  bind: ({ offset }) => ({
    kind: "formula",
    at(t) {
      const angle = (((t + offset) / (1 + offset)) * Math.PI) / 2;
      return levelFromPowers(Math.cos(angle) ** 2, Math.sin(angle) ** 2);
    },
  }),
};
