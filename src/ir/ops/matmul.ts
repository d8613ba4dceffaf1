// Matrix products.

import { map, map2, matmul as product } from "../loops.js";
import { attribute, defineOp, withDefault } from "../op.js";
import type { Tensor } from "../tensor.js";
import { broadcastShapes, typeText } from "../type.js";

/** sqrt(K sum_k a^2 b^2) per output: K products and sums whose roundings have random signs. */
export function productRounding(a: Tensor, b: Tensor, transposed: boolean): Float64Array {
  const k = a.shape[a.shape.length - 1]!;
  const squares = product(
    map(a, (v) => v * v),
    map(b, (v) => v * v),
    transposed,
  );
  return squares.data.map((v) => Math.sqrt(k * v));
}

export const matmul = defineOp({
  name: "matmul",
  summary:
    "y[.., m, n] = sum_k a[.., m, k] b[.., k, n]; leading axes broadcast; transpose_b reads b as [.., n, k]",
  operands: ["a", "b"],
  attributes: { transpose_b: withDefault(attribute.bool, false) },
  fusion: "opaque",
  type({ a, b }, { transpose_b }, check) {
    const real = a.element === b.element && (a.element === "f32" || a.element === "f16");
    check.that(real, "matmul_c1", `a and b must be real and alike, got ${typeText(a)} and ${typeText(b)}`);
    const ranked = a.shape.length >= 2 && b.shape.length >= 2;
    check.that(ranked, "matmul_c2", `a and b need at least two axes, got ${typeText(a)} and ${typeText(b)}`);
    if (!ranked) return [a];
    const [m, k] = a.shape.slice(-2) as [(typeof a.shape)[0], (typeof a.shape)[0]];
    const [kb, n] = transpose_b
      ? [b.shape[b.shape.length - 1]!, b.shape[b.shape.length - 2]!]
      : [b.shape[b.shape.length - 2]!, b.shape[b.shape.length - 1]!];
    check.that(
      k!.equals(kb),
      "matmul_c3",
      `a has ${k} columns, b has ${kb} rows (${typeText(a)} by ${typeText(b)})`,
    );
    const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
    check.that(
      batch !== undefined,
      "matmul_c4",
      `leading axes of ${typeText(a)} and ${typeText(b)} do not broadcast`,
    );
    return [{ element: a.element, shape: [...(batch ?? []), m!, n] }];
  },
  evaluate: ({ a, b }, { transpose_b }) => [product(a, b, transpose_b)],
  rounding: ({ a, b }, _, { transpose_b }) => [productRounding(a, b, transpose_b)],
});

export const linear = defineOp({
  name: "linear",
  summary: "y = x weight^T + bias, weight [out, in] as in PyTorch, over the last axis of x",
  operands: ["x", "weight", "bias?"],
  attributes: {},
  fusion: "opaque",
  type({ x, weight, bias }, _, check) {
    const ok = weight.shape.length === 2 && x.shape.length >= 1;
    check.that(ok, "linear_c1", `weight must be [out, in], got ${typeText(weight)}`);
    if (!ok) return [x];
    const alike = [weight, bias].every((t) => t === undefined || t.element === x.element);
    check.that(
      alike && (x.element === "f32" || x.element === "f16"),
      "linear_c4",
      `x, weight and bias must be real and alike, got ${[x, weight, bias].flatMap((t) => (t ? [typeText(t)] : [])).join(", ")}`,
    );
    const [out, width] = weight.shape as [(typeof weight.shape)[0], (typeof weight.shape)[0]];
    check.that(
      x.shape[x.shape.length - 1]!.equals(width!),
      "linear_c2",
      `x has ${x.shape[x.shape.length - 1]} channels, weight ${typeText(weight)} takes ${width}`,
    );
    check.that(
      bias === undefined || (bias.shape.length === 1 && bias.shape[0]!.equals(out!)),
      "linear_c3",
      `bias must be [${out}], got ${bias && typeText(bias)}`,
    );
    return [{ element: x.element, shape: [...x.shape.slice(0, -1), out!] }];
  },
  evaluate({ x, weight, bias }) {
    const rows = x.data.length / x.shape[x.shape.length - 1]!;
    const flat = product({ ...x, shape: [rows, x.shape[x.shape.length - 1]!] }, weight, true);
    const shaped = { ...flat, shape: [...x.shape.slice(0, -1), weight.shape[0]!] };
    return [bias === undefined ? shaped : map2(shaped, bias, (a, b) => a + b)];
  },
  rounding({ x, weight }, [y]) {
    const rows = x.data.length / x.shape[x.shape.length - 1]!;
    const terms = productRounding({ ...x, shape: [rows, x.shape[x.shape.length - 1]!] }, weight, true);
    return [terms.map((v, i) => v + Math.abs(y!.data[i]!))];
  },
});
