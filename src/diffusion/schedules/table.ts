// alpha_bar of every training step as it was measured or learned: beta_i = 1 - alpha_bar_i / alpha_bar_(i-1), with
// alpha_bar_(-1) = 1. With a position axis each position has a column of its own: SeqDiffuSeq's adaptive schedule (Yuan et
// al. 2022, section 3.3), whose network is told the step alone.

import { fail } from "../../support/diagnostic.js";
import type { ScheduleFamily } from "./family.js";

/** Throws `schedule/table-length`, `schedule/table-order`, the latter with the position where there are several. */
export const table: ScheduleFamily<{
  readonly alpha_bars: readonly (number | readonly number[])[];
  /** Columns of numbers that come one after the other, row by row; 0: they are not in rows. */
  readonly positions: number;
}> = {
  defaults: { alpha_bars: [], positions: 0 },
  bind: ({ alpha_bars: listed, positions }) => ({
    kind: "betas",
    betas(steps, position) {
      const rows = Array.isArray(listed[0]) || positions === 0;
      const count = rows ? listed.length : listed.length / positions;
      if (count !== steps)
        fail("schedule/table-length", `${count} values of alpha_bar for ${steps} training steps`, {
          pointer: "/noise_schedule/alpha_bars",
          help: `use "num_train_steps": ${count} in the discretization`,
        });
      const at = (i: number): number => {
        const value = listed[rows ? i : i * positions + position]!;
        return typeof value === "number" ? value : value[position]!;
      };
      const several = positions > 0 || Array.isArray(listed[0]);
      return Float64Array.from({ length: steps }, (_, i) => {
        const [value, before] = [at(i), i === 0 ? 1 : at(i - 1)];
        if (value >= before)
          fail(
            "schedule/table-order",
            `alpha_bar${several ? ` of position ${position}` : ""} falls from below 1, but ${value} follows ${before}`,
            {
              pointer: `/noise_schedule/alpha_bars${rows ? `/${i}` : ""}${rows && several ? `/${position}` : ""}`,
              help: "list the cleanest step first, each with less signal than the one before",
            },
          );
        return (before - value) / before;
      });
    },
  }),
};
