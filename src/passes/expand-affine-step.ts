// affine_step(x0, x, noise, [a, b, c, s], x0_prev) = a x0 + b x + c x0_prev + s noise, for finite terms.
// The op drops a term whose coefficient is 0 whatever the term is; here 0 times infinity would show, so the
// driver gives zeros where it has no noise or history.

import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { type Rewriter, rewriteModule, rule } from "../ir/rewrite.js";
import type { Pass } from "./pass.js";

const expand = rule("affine_step", ({ x0, x, noise, coefficients, x0_prev }, _, b) => {
  const terms = [x0, x, x0_prev, noise]
    .map((value, i) => ({ value, i }))
    .filter((term): term is { value: Value; i: number } => term.value !== undefined)
    .map(({ value, i }) => b.emit("mul", { a: value, b: coefficient(b, coefficients, i) }, {}));
  return [terms.reduce((sum, term) => b.emit("add", { a: sum, b: term }, {}))];
});

/** Column i of the table as f32[1] or f32[L, 1], which broadcasts. */
function coefficient(b: Rewriter, coefficients: Value, i: number): Value {
  const role = ["a", "b", "c", "s"][i]!;
  return b.emit(
    "slice",
    { x: coefficients },
    { axis: coefficients.type.shape.length - 1, start: dim(i), length: dim(1) },
    role,
  );
}

export const expandAffineStep: Pass = {
  name: "expand-affine-step",
  summary: "write the sampler update as products and sums",
  run: (module) => rewriteModule(module, "expand-affine-step", [expand]),
};
