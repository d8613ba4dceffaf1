// What only diffusion language models need: one sampler update, and rounding to the nearest embedding.

import { defineOp, rounding } from "../op.js";
import { tensor } from "../tensor.js";
import { sameType, typeText } from "../type.js";

export const affineStep = defineOp({
  name: "affine_step",
  summary:
    "x_next = a x0 + b x + c x0_prev + s noise, coefficients = [a, b, c, s]: every Gaussian sampler that calls the network once per step",
  operands: ["x0", "x", "noise", "coefficients", "x0_prev?"],
  attributes: {},
  fusion: "elementwise",
  type({ x0, x, noise, coefficients, x0_prev }, _, check) {
    for (const [role, t] of Object.entries({ x, noise, x0_prev }))
      check.that(
        t === undefined || sameType(t, x0),
        "affine_step_c1",
        `${role} must be like x0 ${typeText(x0)}, got ${t && typeText(t)}`,
      );
    check.that(
      coefficients.shape.length === 1 && coefficients.shape[0]!.value === 4,
      "affine_step_c2",
      `coefficients must be f32[4], got ${typeText(coefficients)}`,
    );
    return [x0];
  },
  evaluate({ x0, x, noise, coefficients, x0_prev }) {
    const [a, b, c, s] = coefficients.data as unknown as [number, number, number, number];
    const out = tensor(x0.element, x0.shape);
    // A zero coefficient drops its term even where the term is not finite (the last step has no noise).
    const term = (factor: number, t: { data: Float64Array } | undefined, i: number): number =>
      factor === 0 || t === undefined ? 0 : factor * t.data[i]!;
    for (let i = 0; i < out.data.length; i++)
      out.data[i] = term(a, x0, i) + term(b, x, i) + term(c, x0_prev, i) + term(s, noise, i);
    return [out];
  },
  rounding({ x0, x, noise, coefficients, x0_prev }) {
    const [a, b, c, s] = coefficients.data as unknown as [number, number, number, number];
    return [
      x0.data.map(
        (v, i) =>
          2 *
          (Math.abs(a * v) +
            Math.abs(b * x.data[i]!) +
            Math.abs(c * (x0_prev?.data[i] ?? 0)) +
            Math.abs(s * noise.data[i]!)),
      ),
    ];
  },
});

export const nearestRow = defineOp({
  name: "nearest_row",
  summary: "y = least i with |x - table[i]|_2 least: the clamp of Diffusion-LM (Li et al. 2022, section 4.3)",
  operands: ["x", "table"],
  attributes: {},
  fusion: "opaque",
  type({ x, table }, _, check) {
    const width = x.shape[x.shape.length - 1];
    check.that(
      table.shape.length === 2 && width !== undefined && table.shape[1]!.equals(width),
      "nearest_row_c1",
      `table must have rows of ${width} numbers, got ${typeText(table)}`,
    );
    return [{ element: "i32", shape: x.shape.slice(0, -1) }];
  },
  evaluate({ x, table }) {
    const [rows, width] = table.shape as readonly [number, number];
    const [points, places] = [x.data, table.data];
    const out = tensor("i32", x.shape.slice(0, -1));
    for (let i = 0; i < out.data.length; i++) {
      let least = Number.POSITIVE_INFINITY;
      for (let r = 0; r < rows; r++) {
        let distance = 0;
        // A sum of squares only grows: once it is not below the least so far, the row is out.
        for (let c = 0; c < width && distance < least; c++) {
          const apart = points[i * width + c]! - places[r * width + c]!;
          distance += apart * apart;
        }
        if (distance < least) {
          least = distance;
          out.data[i] = r;
        }
      }
    }
    return [out];
  },
  rounding: rounding.exact,
});
