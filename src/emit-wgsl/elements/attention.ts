// Rotary positions: each element needs its pair and one row of a table of angles.

import { ropeFrequency } from "../../ir/ops/attention.js";
import type { ElementRules } from "../element-rule.js";
import { axesPlace, plus } from "../place.js";

export const attentions = {
  /**
   * (x1 cos a - x2 sin a, x2 cos a + x1 sin a), a[t, i] = max(t - skip, 0) base^(-2i/rotary), from a table computed
   * in float64: a float32 sine of a large angle would be off by the angle's rounding.
   */
  rope({ x }, { heads, rotary, base, layout, skip, turning }, { writer, place }) {
    const [, length, width] = x.shape as [number, number, number];
    const size = width / heads;
    const half = rotary / 2;
    const values = new Float64Array(length * rotary);
    for (let t = 0; t < length; t++)
      for (let i = 0; i < half; i++) {
        const angle = Math.max(0, t - skip) * ropeFrequency(i, { rotary, base, turning });
        values[2 * (t * half + i)] = Math.cos(angle);
        values[2 * (t * half + i) + 1] = Math.sin(angle);
      }
    const table = writer.table({
      name: `rope_${length}x${half}_base_${base}_skip_${skip}${turning === 0 ? "" : `_of_${turning}`}`.replace(
        /\W/g,
        "_",
      ),
      element: "c64",
      values,
    });
    const channel = writer.bind(place.axis(2), "channel");
    const inHead = writer.bind(heads === 1 ? channel : `${channel} % ${size}u`, "in_head");
    const first = layout === "half" ? `${inHead} < ${half}u` : `${inHead} % 2u == 0u`;
    const isFirst = writer.bind(first, "is_first");
    const i = writer.bind(
      layout === "half"
        ? `min(select(${inHead} - ${half}u, ${inHead}, ${isFirst}), ${half - 1}u)`
        : `min(${inHead} / 2u, ${half - 1}u)`,
      "pair",
    );
    const step = layout === "half" ? half : 1;
    const turns = rotary === size ? "" : `${inHead} < ${rotary}u`;
    const other = writer.bind(`select(${channel} - ${step}u, ${channel} + ${step}u, ${isFirst})`, "other");
    const safe = turns === "" ? other : writer.bind(`select(${channel}, ${other}, ${turns})`, "other_read");
    const turn = writer.bind(writer.at(table, plus(`${place.axis(1)} * ${half}u`, i)), "turn");
    const own = x.load(axesPlace(x.shape, [place.axis(0), place.axis(1), channel]));
    const partner = x.load(axesPlace(x.shape, [place.axis(0), place.axis(1), safe]));
    const turned = `${own} * ${turn}.x + select(${partner}, -${partner}, ${isFirst}) * ${turn}.y`;
    return turns === "" ? turned : `select(${own}, ${turned}, ${turns})`;
  },
} satisfies ElementRules;
