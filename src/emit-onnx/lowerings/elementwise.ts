// Arithmetic, activations, comparisons and selection.
import { attr } from "../attributes.js";
import type { GraphBuilder } from "../graph-builder.js";
import type { OnnxLowerings } from "../lowering.js";
import { add, binary, cast, compare, concat, div, mul, scalar, split, sub, unary, where } from "../nodes.js";
import { dataTypes } from "../proto/messages.js";
import { type OnnxValue, onnxElement } from "../value.js";

const direct =
  (op: string) =>
  ({ x }: { readonly x: OnnxValue }, _: object, b: GraphBuilder) =>
    unary(b, op, x);

const arithmetic =
  (op: string) =>
  ({ a, b: second }: { readonly a: OnnxValue; readonly b: OnnxValue }, _: object, b: GraphBuilder) =>
    binary(b, op, a, second);

const constantLike = (b: GraphBuilder, value: number, x: OnnxValue): OnnxValue =>
  scalar(b, value, x.type.element);

export const elementwise = {
  neg: direct("Neg"),
  abs: direct("Abs"),
  exp: direct("Exp"),
  log: direct("Log"),
  sqrt: direct("Sqrt"),
  rsqrt: ({ x }, _, b) => unary(b, "Reciprocal", unary(b, "Sqrt", x)),
  sin: direct("Sin"),
  cos: direct("Cos"),
  tanh: direct("Tanh"),
  erf: direct("Erf"),
  sigmoid: direct("Sigmoid"),
  softplus: direct("Softplus"),
  relu: direct("Relu"),
  silu: ({ x }, _, b) => mul(b, x, unary(b, "Sigmoid", x)),
  gelu({ x }, { approximate }, b) {
    // The CPU provider has Gelu for f32 only. The formulas are in the forms that ONNX Runtime fuses.
    if (b.has("Gelu") && x.type.element === "float")
      return unary(b, "Gelu", x, approximate === "none" ? {} : { approximate: attr.string(approximate) });
    const half = mul(b, x, constantLike(b, 0.5, x));
    const one = constantLike(b, 1, x);
    if (approximate === "none") {
      const e = unary(b, "Erf", div(b, x, constantLike(b, Math.SQRT2, x)));
      return mul(b, half, add(b, e, one));
    }
    const cube = binary(b, "Pow", x, constantLike(b, 3, x));
    const inner = add(b, x, mul(b, cube, constantLike(b, 0.044715, x)));
    const t = unary(b, "Tanh", mul(b, inner, constantLike(b, Math.sqrt(2 / Math.PI), x)));
    return mul(b, half, add(b, t, one));
  },
  scale({ x }, { factor, offset }, b) {
    const scaled = factor === 1 ? x : mul(b, x, constantLike(b, factor, x));
    return offset === 0 ? scaled : add(b, scaled, constantLike(b, offset, x));
  },
  add: arithmetic("Add"),
  sub: arithmetic("Sub"),
  mul({ a, b: second }, _, b, { operandTypes }) {
    return operandTypes[0]?.element === "c64" ? complexProduct(b, a, second) : mul(b, a, second);
  },
  div: arithmetic("Div"),
  maximum: arithmetic("Max"),
  minimum: arithmetic("Min"),
  equal: ({ a, b: second }, _, b) => compare(b, "Equal", a, second),
  less: ({ a, b: second }, _, b) => compare(b, "Less", a, second),
  where({ condition, a, b: second }, _, b) {
    if (a.type.element !== "bool") return where(b, condition, a, second);
    // Where has no bool kernel: (c and a) or (not c and b).
    const not = b.node("Not", [condition], condition.type);
    return compare(b, "Or", compare(b, "And", condition, a), compare(b, "And", not, second));
  },
  cast({ x }, { to }, b) {
    const element = onnxElement(to);
    return cast(b, x, element, dataTypes[element]);
  },
} satisfies OnnxLowerings;

/** (ar + i ai)(br + i bi) on pairs in the last axis. */
function complexProduct(b: GraphBuilder, x: OnnxValue, y: OnnxValue): OnnxValue {
  const parts = (v: OnnxValue) => split(b, v, v.type.shape.length - 1, [1, 1]) as [OnnxValue, OnnxValue];
  const [xr, xi] = parts(x);
  const [yr, yi] = parts(y);
  const re = sub(b, mul(b, xr, yr), mul(b, xi, yi));
  const im = add(b, mul(b, xr, yi), mul(b, xi, yr));
  return concat(b, [re, im], re.type.shape.length - 1);
}
