// Arithmetic, activations, comparisons and selection, as WGSL expressions. Functions that overflow, lose digits
// or have loose bounds in WGSL are helpers of our own (functions.ts).

import type { ElementContext, ElementRules } from "../element-rule.js";
import { useFunction } from "../functions.js";
import type { Source } from "../kernel.js";
import { registerType } from "../literals.js";

const builtin =
  (name: string) =>
  ({ x }: { readonly x: Source }, _: object, { place }: ElementContext) =>
    `${name}(${x.load(place)})`;

const helper =
  (name: Parameters<typeof useFunction>[1]) =>
  ({ x }: { readonly x: Source }, _: object, { place, writer }: ElementContext) =>
    `${useFunction(writer, name, place.lanes)}(${x.load(place)})`;

const infix =
  (symbol: string) =>
  ({ a, b }: { readonly a: Source; readonly b: Source }, _: object, { place }: ElementContext) =>
    `${a.load(place)} ${symbol} ${b.load(place)}`;

const pair =
  (name: string) =>
  ({ a, b }: { readonly a: Source; readonly b: Source }, _: object, { place }: ElementContext) =>
    `${name}(${a.load(place)}, ${b.load(place)})`;

export const elementwise = {
  neg: ({ x }, _, { place }) => `-${x.load(place)}`,
  abs: builtin("abs"),
  // exp(88.72) is the last finite f32.
  exp: ({ x }, _, { place, number }) => `exp(min(${x.load(place)}, ${number(88.72)}))`,
  log: builtin("log"),
  sqrt: builtin("sqrt"),
  rsqrt: builtin("inverseSqrt"),
  sin: helper("sine"),
  cos: helper("cosine"),
  tanh: helper("tanh_safe"),
  erf: helper("erf"),
  sigmoid: helper("sigmoid"),
  softplus: helper("softplus"),
  relu: ({ x }, _, { place, number }) => `max(${x.load(place)}, ${number(0)})`,
  silu({ x }, _, { place, writer }) {
    const value = x.load(place);
    return `${value} * ${useFunction(writer, "sigmoid", place.lanes)}(${value})`;
  },
  gelu: ({ x }, { approximate }, { place, writer }) =>
    `${useFunction(writer, approximate === "tanh" ? "gelu_tanh" : "gelu", place.lanes)}(${x.load(place)})`,
  scale({ x }, { factor, offset }, { place, number }) {
    const value = x.load(place);
    const scaled = factor === 1 ? value : `${number(factor)} * ${value}`;
    return offset === 0 ? scaled : `${scaled} + ${number(offset)}`;
  },
  add: infix("+"),
  sub: infix("-"),
  mul: (operands, attributes, context) =>
    operands.a.element === "c64"
      ? `${useFunction(context.writer, "complex_product", 1)}(${operands.a.load(context.place)}, ${operands.b.load(context.place)})`
      : infix("*")(operands, attributes, context),
  div: infix("/"),
  maximum: pair("max"),
  minimum: pair("min"),
  equal: infix("=="),
  less: ({ a, b }, _, { place }) =>
    a.element === "bool" ? `!${a.load(place)} & ${b.load(place)}` : `${a.load(place)} < ${b.load(place)}`,
  where: ({ condition, a, b }, _, { place }) =>
    `select(${b.load(place)}, ${a.load(place)}, ${condition.load(place)})`,
  cast({ x }, { to }, { place }) {
    const value = x.load(place);
    const from = registerType(x.element, place.lanes);
    const wanted = registerType(to, place.lanes);
    return from === wanted ? value : `${wanted}(${value})`;
  },
} satisfies ElementRules;
