// Values that come from no operand: splats, short lists, positions.

import { storageType } from "../buffers.js";
import type { ElementRules } from "../element-rule.js";

export const constants = {
  constant: (_, { value }, { number }) => number(value),
  literal(_, { values }, { writer, place, result, number, hint }) {
    if (values.length === 1) return number(values[0]!);
    const stored =
      result.element === "bool" ? "bool" : storageType(result.element === "f16" ? "f32" : result.element);
    const list = writer.constants(hint, stored, values.map(number));
    return `${list}[${place.flat()}]`;
  },
  iota: (_, { element }, { place }) => `${element === "i32" ? "i32" : "f32"}(${place.flat()})`,
} satisfies ElementRules;
