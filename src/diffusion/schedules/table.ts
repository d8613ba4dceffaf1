// alpha_bar of every training step as it was measured or learned: beta_i = 1 - alpha_bar_i / alpha_bar_(i-1), with
// alpha_bar_(-1) = 1. With a position axis each position has a column of its own: SeqDiffuSeq's adaptive schedule (Yuan et
// al. 2022, section 3.3), whose network is told the step alone.

import { fail } from "../../support/diagnostic.js";
import type { ScheduleFamily } from "./family.js";

/** Throws `schedule/table-length`, `schedule/table-order`, the latter with the position where there are several. */
export const table: ScheduleFamily<{ readonly alpha_bars: readonly (number | readonly number[])[] }> = {
  defaults: { alpha_bars: [] },
  bind: ({ alpha_bars: listed }) => ({
    kind: "betas",
    betas(steps, position) {
      if (listed.length !== steps)
        fail("schedule/table-length", `${listed.length} values of alpha_bar for ${steps} training steps`, {
          pointer: "/noise_schedule/alpha_bars",
          help: `use "num_train_steps": ${listed.length} in the discretization`,
        });
      const column = listed.map((row) => (typeof row === "number" ? row : row[position]!));
      return Float64Array.from(column, (value, i) => {
        const before = i === 0 ? 1 : column[i - 1]!;
        const [of, place] =
          typeof listed[i] === "number" ? ["", ""] : [` of position ${position}`, `/${position}`];
        if (value >= before)
          fail("schedule/table-order", `alpha_bar${of} falls from below 1, but ${value} follows ${before}`, {
            pointer: `/noise_schedule/alpha_bars/${i}${place}`,
            help: "list the cleanest step first, each with less signal than the one before",
          });
        return (before - value) / before;
      });
    },
  }),
};
