// Normalisations over the last axis.

import { attribute, type Check, defineOp, withDefault } from "../op.js";
import { type Tensor, tensor } from "../tensor.js";
import { type TensorType, typeText } from "../type.js";

function affineType(
  name: string,
  x: TensorType,
  weight: TensorType | undefined,
  bias: TensorType | undefined,
  check: Check,
): TensorType[] {
  check.that(
    (x.element === "f32" || x.element === "f16") && x.shape.length >= 1,
    `${name}_c1`,
    `x must be real with at least one axis, got ${typeText(x)}`,
  );
  const width = x.shape[x.shape.length - 1];
  for (const [role, p] of [
    ["weight", weight],
    ["bias", bias],
  ] as const) {
    // Asked only of what is there: an op without these operands has no such constraint.
    if (p === undefined) continue;
    check.that(
      p.element === x.element && p.shape.length === 1 && width !== undefined && p.shape[0]!.equals(width),
      `${name}_c2`,
      `${role} must be ${x.element}[${width}], got ${typeText(p)}`,
    );
  }
  return [x];
}

/** y = f(row) * weight + bias, row by row. */
function rows(
  x: Tensor,
  weight: Tensor | undefined,
  bias: Tensor | undefined,
  f: (row: Float64Array, out: Float64Array) => void,
): Tensor {
  const out = tensor(x.element, x.shape);
  const n = x.shape[x.shape.length - 1]!;
  for (let start = 0; start < x.data.length; start += n) {
    const to = out.data.subarray(start, start + n);
    f(x.data.subarray(start, start + n), to);
    for (let i = 0; i < n; i++) to[i] = to[i]! * (weight?.data[i] ?? 1) + (bias?.data[i] ?? 0);
  }
  return out;
}

/** Rounding of a normalised row: the centred value's own rounding (absolute in x), then a few ULP of the result. */
function rowRounding(
  x: Tensor,
  y: Tensor,
  weight: Tensor | undefined,
  spread: (row: Float64Array) => number,
): Float64Array {
  const out = new Float64Array(x.data.length);
  const n = x.shape[x.shape.length - 1]!;
  for (let start = 0; start < x.data.length; start += n) {
    const row = x.data.subarray(start, start + n);
    const inverse = spread(row);
    const largest = row.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    for (let i = 0; i < n; i++) {
      const w = Math.abs(weight?.data[i] ?? 1);
      out[start + i] =
        w * inverse * (largest + Math.abs(row[i]!)) + (4 + Math.sqrt(n)) * Math.abs(y.data[start + i]!);
    }
  }
  return out;
}

function moments(row: Float64Array): { mean: number; variance: number } {
  let mean = 0;
  for (const v of row) mean += v;
  mean /= row.length;
  let variance = 0;
  for (const v of row) variance += (v - mean) ** 2;
  return { mean, variance: variance / row.length };
}

export const layerNorm = defineOp({
  name: "layer_norm",
  summary:
    "y = (x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis, biased variance (Ba et al. 2016)",
  operands: ["x", "weight?", "bias?"],
  attributes: { epsilon: attribute.float },
  fusion: "reduction",
  type: ({ x, weight, bias }, { epsilon }, check) => {
    check.that(epsilon >= 0, "layer_norm_c3", `epsilon must not be negative, got ${epsilon}`);
    return affineType("layer_norm", x, weight, bias, check);
  },
  evaluate: ({ x, weight, bias }, { epsilon }) => [
    rows(x, weight, bias, (row, out) => {
      const { mean, variance } = moments(row);
      const inverse = 1 / Math.sqrt(variance + epsilon);
      for (let i = 0; i < row.length; i++) out[i] = (row[i]! - mean) * inverse;
    }),
  ],
  rounding: ({ x, weight }, [y], { epsilon }) => [
    rowRounding(x, y!, weight, (row) => 1 / Math.sqrt(moments(row).variance + epsilon)),
  ],
});

const meanSquare = (row: Float64Array): number => row.reduce((s, v) => s + v * v, 0) / row.length;

export const rmsNorm = defineOp({
  name: "rms_norm",
  summary: "y = x / sqrt(mean(x^2) + epsilon) * weight over the last axis (Zhang & Sennrich 2019)",
  operands: ["x", "weight?"],
  attributes: { epsilon: attribute.float },
  fusion: "reduction",
  type: ({ x, weight }, { epsilon }, check) => {
    check.that(epsilon >= 0, "rms_norm_c3", `epsilon must not be negative, got ${epsilon}`);
    return affineType("rms_norm", x, weight, undefined, check);
  },
  evaluate: ({ x, weight }, { epsilon }) => [
    rows(x, weight, undefined, (row, out) => {
      const inverse = 1 / Math.sqrt(meanSquare(row) + epsilon);
      for (let i = 0; i < row.length; i++) out[i] = row[i]! * inverse;
    }),
  ],
  rounding: ({ x }, [y]) => [y!.data.map((v) => (4 + Math.sqrt(x.shape[x.shape.length - 1]!)) * Math.abs(v))],
});

export const l2Normalize = defineOp({
  name: "l2_normalize",
  summary: "y = scale x / max(|x|_2, epsilon) over the last axis (torch.nn.functional.normalize)",
  operands: ["x"],
  attributes: { scale: withDefault(attribute.float, 1), epsilon: withDefault(attribute.float, 1e-12) },
  fusion: "reduction",
  type: ({ x }, _, check) => affineType("l2_normalize", x, undefined, undefined, check),
  evaluate: ({ x }, { scale, epsilon }) => [
    rows(x, undefined, undefined, (row, out) => {
      const factor = scale / Math.max(Math.sqrt(row.reduce((s, v) => s + v * v, 0)), epsilon);
      for (let i = 0; i < row.length; i++) out[i] = row[i]! * factor;
    }),
  ],
  rounding: ({ x }, [y]) => [y!.data.map((v) => (4 + Math.sqrt(x.shape[x.shape.length - 1]!)) * Math.abs(v))],
});
