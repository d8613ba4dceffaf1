// Values that come from no operand: named weights, splats, small literals, position indices.

import { decodeHalf, encodeHalf, leastNormalHalf } from "../../support/half.js";
import { product } from "../dim.js";
import { attribute, choice, defineOp, rounding, withDefault } from "../op.js";
import { type Tensor, tensor } from "../tensor.js";

/**
 * A number that its format does not hold (folded in float64, or 0.1) is rounded once when it is stored. Of a half below
 * the least normal nothing may be left: targets may flush it to zero, an error of 1/u = 2^11 units.
 */
function storedRounding(_: unknown, results: readonly Tensor[]): Float64Array[] {
  return results.map(({ element, data }) => {
    if (element === "i32" || element === "bool") return new Float64Array(data.length);
    const nearest = element === "f16" ? (v: number) => decodeHalf(encodeHalf(v)) : Math.fround;
    return data.map((v) => {
      if (element === "f16" && Math.abs(v) < leastNormalHalf) return 2 ** 11 * Math.abs(v);
      return Object.is(nearest(v), v) || Number.isNaN(v) ? 0 : Math.abs(v);
    });
  });
}

export const weight = defineOp({
  name: "weight",
  summary: "the tensor of that name in the module's weights",
  operands: [],
  attributes: {
    name: attribute.string,
    shape: attribute.dims,
    element: withDefault(choice("f32", "f16", "i32", "bool"), "f32"),
  },
  fusion: "constant",
  type: (_, { shape, element }) => [{ element, shape }],
  evaluate(_, { name, shape }, context) {
    const stored = context.weight(name);
    const wanted = context.shape(shape);
    if (wanted.length !== stored.shape.length || wanted.some((extent, i) => extent !== stored.shape[i]))
      throw new RangeError(`weight ${name} is [${stored.shape}], expected [${wanted}]`);
    return [stored];
  },
  rounding: storedRounding,
});

export const constant = defineOp({
  name: "constant",
  summary: "value everywhere in shape",
  operands: [],
  attributes: {
    value: attribute.float,
    shape: withDefault(attribute.dims, []),
    element: withDefault(choice("f32", "f16", "i32", "bool"), "f32"),
  },
  fusion: "constant",
  type: (_, { shape, element }) => [{ element, shape }],
  evaluate(_, { value, shape, element }, context) {
    const out = tensor(element, context.shape(shape));
    out.data.fill(value);
    return [out];
  },
  rounding: storedRounding,
});

export const literal = defineOp({
  name: "literal",
  summary: "the listed numbers in row-major order",
  operands: [],
  attributes: {
    values: attribute.floats,
    shape: attribute.dims,
    element: withDefault(choice("f32", "f16", "i32", "bool"), "f32"),
  },
  fusion: "constant",
  type(_, { values, shape, element }, check) {
    check.that(
      product(shape).value === values.length,
      "literal_c1",
      `shape [${shape.join(", ")}] holds ${product(shape).key} numbers, ${values.length} are listed`,
    );
    return [{ element, shape }];
  },
  evaluate: (_, { values, shape, element }, context) => [
    tensor(element, context.shape(shape), Float64Array.from(values)),
  ],
  rounding: storedRounding,
});

export const iota = defineOp({
  name: "iota",
  summary: "0, 1, .., length-1",
  operands: [],
  attributes: { length: attribute.dim, element: withDefault(choice("f32", "i32"), "f32") },
  fusion: "constant",
  type: (_, { length, element }) => [{ element, shape: [length] }],
  evaluate: (_, { length, element }, context) => [
    tensor(
      element,
      [context.size(length)],
      Float64Array.from({ length: context.size(length) }, (_x, i) => i),
    ),
  ],
  rounding: rounding.exact,
});
