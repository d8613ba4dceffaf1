// The table of elementwise rules, in files that mirror src/ir/ops.

import type { Element } from "../../ir/tensor.js";
import type { ElementRules } from "../element-rule.js";
import { float, registerType } from "../literals.js";
import { attentions } from "./attention.js";
import { constants } from "./constant.js";
import { diffusion } from "./diffusion.js";
import { elementwise } from "./elementwise.js";
import { keepsNeighbours, shapes } from "./shape.js";

const rules = { ...constants, ...elementwise, ...shapes, ...diffusion, ...attentions } satisfies ElementRules;

/** A number as a literal: finite (an infinity becomes the largest f32), of the element, in 1 or 4 lanes. */
function literal(value: number, element: Element, lanes: 1 | 4): string {
  const largest = 3.4028234663852886e38;
  const scalar =
    element === "i32"
      ? `${Math.trunc(value)}i`
      : element === "bool"
        ? String(value !== 0)
        : float(Math.max(-largest, Math.min(largest, value)));
  return lanes === 4 ? `${registerType(element, 4)}(${scalar})` : scalar;
}

export const elementRules = {
  rules,
  keepsNeighbours,
  /** Rules whose text is the same for one number and for four. */
  lanewise: new Set<string>([...Object.keys(elementwise), ...Object.keys(diffusion), "constant"]),
  literal,
};
