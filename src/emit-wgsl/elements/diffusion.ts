// One sampler update.

import type { ElementRules } from "../element-rule.js";
import { axesPlace } from "../place.js";

export const diffusion = {
  /** A zero coefficient drops its term even where the term is not finite (the last step has no noise). */
  affine_step({ x0, x, noise, coefficients, x0_prev }, _, { writer, place, number }) {
    const { shape } = coefficients;
    const position = shape.length === 1 ? [] : [place.axis(place.shape.length - 2)];
    const terms = ([x0, x, x0_prev, noise] as const).flatMap((source, k) => {
      if (source === undefined) return [];
      const c = writer.bind(coefficients.load(axesPlace(shape, [...position, `${k}u`])), "abcs"[k]!);
      return [`select(${c} * ${source.load(place)}, ${number(0)}, ${c} == 0.0)`];
    });
    return terms.join(" + ");
  },
} satisfies ElementRules;
