// alpha_bar of every training step as it was measured or learned: beta_i = 1 - alpha_bar_i / alpha_bar_(i-1), with
// alpha_bar_(-1) = 1 (SeqDiffuSeq's adaptive schedule, Yuan et al. 2022, for one position or for their mean).

import { fail } from "../../support/diagnostic.js";
import type { ScheduleFamily } from "./family.js";

/** Throws `schedule/table-length`, `schedule/table-order`. */
export const table: ScheduleFamily<{ readonly alpha_bars: readonly number[] }> = {
  defaults: { alpha_bars: [] },
  bind: ({ alpha_bars: listed }) => ({
    kind: "betas",
    betas(steps) {
      if (listed.length !== steps)
        fail("schedule/table-length", `${listed.length} values of alpha_bar for ${steps} training steps`, {
          pointer: "/noise_schedule/alpha_bars",
          help: `use "num_train_steps": ${listed.length} in the discretization`,
        });
      return Float64Array.from(listed, (value, i) => {
        const before = i === 0 ? 1 : listed[i - 1]!;
        if (value >= before)
          fail("schedule/table-order", `alpha_bar falls from below 1, but ${value} follows ${before}`, {
            pointer: `/noise_schedule/alpha_bars/${i}`,
            help: "list the cleanest step first, each with less signal than the one before",
          });
        return (before - value) / before;
      });
    },
  }),
};
