// What only diffusion language models need: one sampler update, and rounding to the nearest embedding.

import { dim } from "../dim.js";
import { defineOp, rounding } from "../op.js";
import { type Tensor, tensor } from "../tensor.js";
import { sameType, typeText } from "../type.js";

export const affineStep = defineOp({
  name: "affine_step",
  summary:
    "x_next = a x0 + b x + c x0_prev + s noise, coefficients = [a, b, c, s] for all positions or one row of each: every Gaussian sampler that calls the network once per step",
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
    const [positions] = coefficients.shape;
    const fits =
      coefficients.shape.length === 1 ||
      (coefficients.shape.length === 2 && positions!.equals(x0.shape[x0.shape.length - 2] ?? dim(0)));
    check.that(
      fits && coefficients.shape[coefficients.shape.length - 1]!.value === 4,
      "affine_step_c2",
      `coefficients must be f32[4], or f32[L, 4] for the L positions of ${typeText(x0)}, got ${typeText(coefficients)}`,
    );
    return [x0];
  },
  evaluate({ x0, x, noise, coefficients, x0_prev }) {
    const at = coefficientAt(coefficients, x0);
    const out = tensor(x0.element, x0.shape);
    // A zero coefficient drops its term even where the term is not finite (the last step has no noise).
    const term = (factor: number, t: { data: Float64Array } | undefined, i: number): number =>
      factor === 0 || t === undefined ? 0 : factor * t.data[i]!;
    for (let i = 0; i < out.data.length; i++)
      out.data[i] =
        term(at(i, 0), x0, i) + term(at(i, 1), x, i) + term(at(i, 2), x0_prev, i) + term(at(i, 3), noise, i);
    return [out];
  },
  rounding({ x0, x, noise, coefficients, x0_prev }) {
    const at = coefficientAt(coefficients, x0);
    return [
      x0.data.map(
        (v, i) =>
          2 *
          (Math.abs(at(i, 0) * v) +
            Math.abs(at(i, 1) * x.data[i]!) +
            Math.abs(at(i, 2) * (x0_prev?.data[i] ?? 0)) +
            Math.abs(at(i, 3) * noise.data[i]!)),
      ),
    ];
  },
});

/** Coefficient k of element i of x: of all positions, or of the position that the element lies at. */
function coefficientAt({ shape, data }: Tensor, x: Tensor): (i: number, k: number) => number {
  if (shape.length === 1) return (_, k) => data[k]!;
  const [positions, width] = [shape[0]!, x.shape[x.shape.length - 1]!];
  return (i, k) => data[(Math.floor(i / width) % positions) * 4 + k]!;
}

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
