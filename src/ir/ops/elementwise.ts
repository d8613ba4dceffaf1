// One output number per input number: arithmetic, activations, comparisons, selection. Binary ops broadcast
// as in NumPy and ONNX.

import { erf, geluErf, geluTanh, sigmoid, softplus } from "../functions.js";
import { broadcastSizes, broadcastStrides, map, map2, walk } from "../loops.js";
import {
  type AccurateFunction,
  attribute,
  type Check,
  choice,
  defineOp,
  rounding,
  withDefault,
} from "../op.js";
import { type Element, type Tensor, tensor } from "../tensor.js";
import { broadcastShapes, type TensorType, typeText } from "../type.js";

function realType(x: TensorType, label: string, check: Check): TensorType[] {
  check.that(x.element === "f32" || x.element === "f16", label, `x must be real, got ${typeText(x)}`);
  return [x];
}

function unary<const N extends string>(
  name: N,
  summary: string,
  f: (x: number) => number,
  round: { ulps: number } | { of: AccurateFunction; extra?: number } | "exact",
) {
  return defineOp({
    name,
    summary,
    operands: ["x"],
    attributes: {},
    fusion: "elementwise",
    type: ({ x }, _, check) => realType(x, `${name}_c1`, check),
    evaluate: ({ x }) => [map(x, f)],
    rounding:
      round === "exact"
        ? rounding.exact
        : "of" in round
          ? rounding.of(round.of, round.extra)
          : rounding.ulps(round.ulps),
  });
}

export const neg = unary("neg", "y = -x", (x) => -x, "exact");
export const abs = unary("abs", "y = |x|", Math.abs, "exact");
export const exp = unary("exp", "y = exp(x)", Math.exp, { of: "exp" });
export const log = unary("log", "y = ln(x)", Math.log, { of: "log" });
export const sqrt = unary("sqrt", "y = sqrt(x)", Math.sqrt, { of: "sqrt" });
export const rsqrt = unary("rsqrt", "y = 1/sqrt(x)", (x) => 1 / Math.sqrt(x), { of: "rsqrt" });
export const sin = unary("sin", "y = sin(x), x in radians", Math.sin, { of: "sin" });
export const cos = unary("cos", "y = cos(x), x in radians", Math.cos, { of: "cos" });
export const tanh = unary("tanh", "y = tanh(x)", Math.tanh, { of: "tanh" });
export const relu = unary("relu", "y = max(x, 0)", (x) => Math.max(x, 0), "exact");
export const sigmoidOp = unary("sigmoid", "y = 1/(1+exp(-x))", sigmoid, { of: "sigmoid" });
export const softplusOp = unary("softplus", "y = ln(1+exp(x))", softplus, { of: "log", extra: 2 });
export const silu = unary("silu", "y = x/(1+exp(-x))", (x) => x * sigmoid(x), { of: "sigmoid", extra: 1 });

export const erfOp = defineOp({
  name: "erf",
  summary: "y = erf(x) = 2/sqrt(pi) integral_0^x exp(-t^2) dt",
  operands: ["x"],
  attributes: {},
  fusion: "elementwise",
  type: ({ x }, _, check) => realType(x, "erf_c1", check),
  evaluate: ({ x }) => [map(x, erf)],
  rounding: rounding.of("erf"),
});

export const gelu = defineOp({
  name: "gelu",
  summary: "none: y = x/2 (1 + erf(x/sqrt 2)); tanh: y = x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3)))",
  operands: ["x"],
  attributes: { approximate: withDefault(choice("none", "tanh"), "none") },
  fusion: "elementwise",
  type: ({ x }, _, check) => realType(x, "gelu_c1", check),
  evaluate: ({ x }, { approximate }) => [map(x, approximate === "tanh" ? geluTanh : geluErf)],
  // 1 + erf cancels for negative x: the error is absolute in x, not relative in y.
  rounding: ({ x }, _, { approximate }, { ulps }) => {
    const n = (approximate === "tanh" ? ulps("tanh") : ulps("erf")) + 2;
    return [x.data.map((v) => n * Math.abs(v))];
  },
});

function binary<const N extends string>(
  name: N,
  summary: string,
  f: (a: number, b: number) => number,
  round: "exact" | { ulps: number } | { of: AccurateFunction },
  elements: readonly Element[],
) {
  return defineOp({
    name,
    summary: `${summary}; operands broadcast`,
    operands: ["a", "b"],
    attributes: {},
    fusion: "elementwise",
    type({ a, b }, _, check) {
      check.that(
        a.element === b.element && elements.includes(a.element),
        `${name}_c1`,
        `a and b must share an element (${elements.join(", ")}), got ${typeText(a)} and ${typeText(b)}`,
      );
      const shape = broadcastShapes(a.shape, b.shape);
      check.that(
        shape !== undefined,
        `${name}_c2`,
        `shapes ${typeText(a)} and ${typeText(b)} do not broadcast`,
      );
      return [{ element: a.element, shape: shape ?? a.shape }];
    },
    evaluate: ({ a, b }) => [a.element === "c64" ? map2Complex(name, a, b) : map2(a, b, f)],
    rounding:
      round === "exact" ? rounding.exact : "of" in round ? rounding.of(round.of) : rounding.ulps(round.ulps),
  });
}

// Maxima have no complex meaning, and targets disagree about the rounding of integer quotients.
const real: readonly Element[] = ["f32", "f16"];
const ordered: readonly Element[] = [...real, "i32"];
const numeric: readonly Element[] = [...ordered, "c64"];

export const add = binary("add", "y = a + b", (a, b) => a + b, { ulps: 1 }, numeric);
export const sub = binary("sub", "y = a - b", (a, b) => a - b, { ulps: 1 }, numeric);
export const mul = binary("mul", "y = a b", (a, b) => a * b, { ulps: 1 }, numeric);
export const div = binary("div", "y = a / b", (a, b) => a / b, { of: "div" }, real);
export const maximum = binary("maximum", "y = max(a, b)", Math.max, "exact", ordered);
export const minimum = binary("minimum", "y = min(a, b)", Math.min, "exact", ordered);

/** Complex sums and products. */
function map2Complex(name: string, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastSizes(a.shape, b.shape);
  const out = tensor("c64", shape);
  walk(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)], (i, o) => {
    const ar = a.data[2 * o[0]!]!;
    const ai = a.data[2 * o[0]! + 1]!;
    const br = b.data[2 * o[1]!]!;
    const bi = b.data[2 * o[1]! + 1]!;
    if (name === "mul") {
      out.data[2 * i] = ar * br - ai * bi;
      out.data[2 * i + 1] = ar * bi + ai * br;
    } else {
      const sign = name === "sub" ? -1 : 1;
      out.data[2 * i] = ar + sign * br;
      out.data[2 * i + 1] = ai + sign * bi;
    }
  });
  return out;
}

function comparison<const N extends string>(name: N, summary: string, f: (a: number, b: number) => boolean) {
  return defineOp({
    name,
    summary: `${summary}; operands broadcast`,
    operands: ["a", "b"],
    attributes: {},
    fusion: "elementwise",
    type({ a, b }, _, check) {
      check.that(
        a.element === b.element && a.element !== "c64",
        `${name}_c1`,
        `a and b must share a real or integer element, got ${typeText(a)} and ${typeText(b)}`,
      );
      const shape = broadcastShapes(a.shape, b.shape);
      check.that(
        shape !== undefined,
        `${name}_c2`,
        `shapes ${typeText(a)} and ${typeText(b)} do not broadcast`,
      );
      return [{ element: "bool", shape: shape ?? a.shape }];
    },
    evaluate: ({ a, b }) => [map2(a, b, (x, y) => (f(x, y) ? 1 : 0), "bool")],
    rounding: rounding.exact,
  });
}

export const equal = comparison("equal", "y = (a = b)", (a, b) => a === b);
export const less = comparison("less", "y = (a < b)", (a, b) => a < b);

export const where = defineOp({
  name: "where",
  summary: "y = a where condition, else b; operands broadcast",
  operands: ["condition", "a", "b"],
  attributes: {},
  fusion: "elementwise",
  type({ condition, a, b }, _, check) {
    check.that(
      condition.element === "bool",
      "where_c1",
      `condition must be bool, got ${typeText(condition)}`,
    );
    check.that(
      a.element === b.element && a.element !== "c64",
      "where_c2",
      `a and b must share a real or integer element, got ${typeText(a)} and ${typeText(b)}`,
    );
    const pair = broadcastShapes(a.shape, b.shape);
    const shape = pair && broadcastShapes(condition.shape, pair);
    check.that(
      shape !== undefined,
      "where_c3",
      `shapes ${typeText(condition)}, ${typeText(a)} and ${typeText(b)} do not broadcast`,
    );
    return [{ element: a.element, shape: shape ?? a.shape }];
  },
  evaluate({ condition, a, b }) {
    const shape = broadcastSizes(condition.shape, broadcastSizes(a.shape, b.shape));
    const out = tensor(a.element, shape);
    walk(
      shape,
      [condition, a, b].map((t) => broadcastStrides(t.shape, shape)),
      (i, o) => {
        out.data[i] = condition.data[o[0]!] !== 0 ? a.data[o[1]!]! : b.data[o[2]!]!;
      },
    );
    return [out];
  },
  rounding: rounding.exact,
});

export const cast = defineOp({
  name: "cast",
  summary: "y = x as another element; real to i32 truncates towards zero, anything to bool is x != 0",
  operands: ["x"],
  attributes: { to: choice("f32", "f16", "i32", "bool") },
  fusion: "elementwise",
  type({ x }, { to }, check) {
    check.that(x.element !== "c64", "cast_c1", `x must not be complex, got ${typeText(x)}`);
    return [{ element: to, shape: x.shape }];
  },
  evaluate: ({ x }, { to }) => [
    map(x, to === "i32" ? Math.trunc : to === "bool" ? (v) => (v !== 0 ? 1 : 0) : (v) => v, to),
  ],
  rounding: rounding.exact,
});

export const scale = defineOp({
  name: "scale",
  summary: "y = factor x + offset, with both known at compile time",
  operands: ["x"],
  attributes: { factor: withDefault(attribute.float, 1), offset: withDefault(attribute.float, 0) },
  fusion: "elementwise",
  type: ({ x }, _, check) => realType(x, "scale_c1", check),
  evaluate: ({ x }, { factor, offset }) => [map(x, (v) => factor * v + offset)],
  rounding: ({ x }, [y], { factor, offset }) => [
    y!.data.map((v, i) => Math.abs(v) + (offset === 0 ? 0 : Math.abs(factor * x.data[i]!))),
  ],
});
