// The second dispatch of scores.ts: what slices of a vocabulary found, joined row by row.

import { invocations } from "../grid.js";
import type { Kernel, Scratch, Table } from "../kernel.js";
import { divided, modulo, plus, times } from "../place.js";
import { lowest, partials, type Scores } from "./score-parts.js";

export function joinSlices(
  { name, comment, m, width, wantsBest, openJoin }: Scores,
  slices: number,
  record: number,
  scratch: Scratch,
): { kernel: Kernel; tables: readonly Table[] } {
  const ends = openJoin();
  const { writer: w } = ends;
  w.buffer(partials, "partials", "f32", scratch.length, "read", 1);
  const columns = Math.max(1, width);
  const work = invocations(w, m * columns, (i) => {
    const row = w.bind(divided(i, columns), "row");
    const column = w.bind(modulo(i, columns), "column");
    const at = (slice: string, field: string): string =>
      w.at(partials, plus(times(`(${plus(times(slice, m), row)})`, record), field));
    if (width > 0 && ends.mean !== undefined) {
      const most = w.variable("most", lowest);
      w.loop("slice", "0u", `${slices}u`, 1, (s) => w.line(`${most} = max(${most}, ${at(s, "0u")});`));
      const total = w.variable("total", "0.0");
      const mean = w.variable("mean", "0.0");
      w.loop("slice", "0u", `${slices}u`, 1, (s) => {
        const factor = w.bind(`exp(${at(s, "0u")} - ${most})`, "factor");
        w.line(`${total} += ${at(s, "1u")} * ${factor};`);
        w.line(`${mean} += ${at(s, plus("4u", column))} * ${factor};`);
      });
      ends.mean(row, column, `${mean} / ${total}`);
    }
    if (wantsBest && ends.best !== undefined)
      w.block(`if (${column} == 0u)`, () => {
        const best = w.variable("best", at("0u", "2u"));
        const found = w.variable("found", `bitcast<u32>(${at("0u", "3u")})`);
        w.loop("slice", "1u", `${slices}u`, 1, (s) => {
          const value = w.bind(at(s, "2u"), "value");
          w.block(`if (${value} > ${best})`, () =>
            w.line(`${best} = ${value}; ${found} = bitcast<u32>(${at(s, "3u")});`),
          );
        });
        ends.best!(row, `i32(${found})`);
      });
  });
  const kernel = w.finish({
    name: `${name}_join`,
    comment: [...comment, `Joins the ${slices} slices of each of ${m} rows.`],
    ...work,
  });
  return { kernel, tables: w.tables };
}
