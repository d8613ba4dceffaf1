// Normalisations over the last axis as reductions and arithmetic:
//   layer_norm(x)   = c / sqrt(mean(c^2) + epsilon) * weight + bias,  c = x - mean(x)
//   rms_norm(x)     = x / sqrt(mean(x^2) + epsilon) * weight
//   l2_normalize(x) = scale x / max(sqrt(sum(x^2)), epsilon)

import type { Value } from "../ir/graph.js";
import { type Rewriter, type Rule, rewriteModule, rule } from "../ir/rewrite.js";
import type { Pass } from "./pass.js";

export const normNames = ["layer_norm", "rms_norm", "l2_normalize"] as const;
export type NormName = (typeof normNames)[number];

const lastAxis = (x: Value): number => x.type.shape.length - 1;

/** x / sqrt(mean(x^2) + epsilon) */
function byRootMeanSquare(b: Rewriter, x: Value, epsilon: number): Value {
  const square = b.emit("mul", { a: x, b: x }, {});
  const mean = b.emit("reduce_mean", { x: square }, { axis: lastAxis(x), keepdims: true });
  const inverse = b.emit("rsqrt", { x: b.emit("scale", { x: mean }, { offset: epsilon }) }, {});
  return b.emit("mul", { a: x, b: inverse }, {});
}

function affine(b: Rewriter, x: Value, weight: Value | undefined, bias: Value | undefined): Value {
  const scaled = weight === undefined ? x : b.emit("mul", { a: x, b: weight }, {});
  return bias === undefined ? scaled : b.emit("add", { a: scaled, b: bias }, {});
}

const rules: Readonly<Record<NormName, Rule>> = {
  layer_norm: rule("layer_norm", ({ x, weight, bias }, { epsilon }, b) => {
    const mean = b.emit("reduce_mean", { x }, { axis: lastAxis(x), keepdims: true });
    const centred = b.emit("sub", { a: x, b: mean }, {});
    return [affine(b, byRootMeanSquare(b, centred, epsilon), weight, bias)];
  }),
  rms_norm: rule("rms_norm", ({ x, weight }, { epsilon }, b) => [
    affine(b, byRootMeanSquare(b, x, epsilon), weight, undefined),
  ]),
  l2_normalize: rule("l2_normalize", ({ x }, { scale, epsilon }, b) => {
    const square = b.emit("mul", { a: x, b: x }, {});
    const sum = b.emit("reduce_sum", { x: square }, { axis: lastAxis(x), keepdims: true });
    const element = x.type.element as "f32" | "f16";
    const least = b.emit("constant", {}, { value: epsilon, element });
    const norm = b.emit("maximum", { a: b.emit("sqrt", { x: sum }, {}), b: least }, {});
    const unit = b.emit("div", { a: x, b: norm }, {});
    return [scale === 1 ? unit : b.emit("scale", { x: unit }, { factor: scale })];
  }),
};

/** Expands the named normalisations; a target keeps those it has kernels for. */
export function expandNorm(names: readonly NormName[] = normNames): Pass {
  return {
    name: "expand-norm",
    summary: "write normalisations as reductions and arithmetic",
    run: (module) =>
      rewriteModule(
        module,
        "expand-norm",
        names.map((name) => rules[name]),
      ),
  };
}
