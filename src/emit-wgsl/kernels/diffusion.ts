// The clamp of Diffusion-LM: the nearest row of a table, by squared differences (not |x|^2 + |t|^2 - 2 x t, which
// cancels near the answer), without a [rows, vocabulary] matrix.

import { count } from "../../ir/tensor.js";
import type { WgslKernels } from "../kernel.js";
import { axesPlace, flatPlace, rowPlace } from "../place.js";
import { scoreKernels } from "./scores.js";

export const clamps = {
  nearest_row(request) {
    const { x, table } = request.operandTypes;
    const [vocabulary, k] = table.shape as [number, number];
    const m = count(x.shape) / k;
    return scoreKernels({
      name: `nearest_row_${m}x${k}_of_${vocabulary}${request.suffix}`,
      comment: [`y = least i with |x - table[i]|_2 least: ${m} rows of ${k}, table [${vocabulary}, ${k}].`],
      m,
      vocabulary,
      width: 0,
      wantsBest: true,
      limits: request.limits,
      open(lanes) {
        const { writer, operands } = request.open({ lanes, stores: 1 });
        return {
          writer,
          terms: [
            {
              k,
              kind: "distance",
              a: (row, at, wide) => operands.x.load(rowPlace(x.shape, row, at, wide)),
              b: (entry, at, wide) => operands.table.load(axesPlace(table.shape, [entry, at], wide)),
            },
          ],
          score: (_row, _entry, terms) => `-${terms[0]}`,
        };
      },
      openJoin() {
        const { writer, results } = request.open({ stores: 1 });
        const y = results[0]!;
        return { writer, best: (row, value) => y.store(flatPlace(y.shape, row), value) };
      },
    });
  },
} satisfies WgslKernels;
