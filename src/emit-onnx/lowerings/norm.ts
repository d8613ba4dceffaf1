// Normalisations over the last axis: ONNX's own operators within the opset bound, their formulas otherwise.
import { attr } from "../attributes.js";
import type { GraphBuilder } from "../graph-builder.js";
import type { OnnxLowerings } from "../lowering.js";
import { add, binary, div, extentNumber, mul, reduce, scalar, unary } from "../nodes.js";
import type { OnnxValue } from "../value.js";

function ones(b: GraphBuilder, x: OnnxValue): OnnxValue {
  const width = extentNumber(x.type.shape.at(-1)!);
  const element = x.type.element;
  return b.memoized(`ones ${element} ${width}`, () =>
    b.literal(element, [width], new Array<number>(width).fill(1), "ones"),
  );
}

export const norms = {
  layer_norm({ x, weight, bias }, { epsilon }, b) {
    const inputs = [x, weight ?? ones(b, x), ...(bias === undefined ? [] : [bias])];
    return b.node("LayerNormalization", inputs, x.type, { axis: attr.int(-1), epsilon: attr.float(epsilon) });
  },
  rms_norm({ x, weight }, { epsilon }, b) {
    if (b.has("RMSNormalization"))
      return b.node("RMSNormalization", [x, weight ?? ones(b, x)], x.type, {
        axis: attr.int(-1),
        epsilon: attr.float(epsilon),
      });
    // x / sqrt(mean(x^2) + epsilon) * weight, in the form that ONNX Runtime fuses.
    const last = x.type.shape.length - 1;
    const element = x.type.element;
    const squares = binary(b, "Pow", x, scalar(b, 2, element));
    const mean = reduce(b, "ReduceMean", squares, last, true);
    const root = unary(b, "Sqrt", add(b, mean, scalar(b, epsilon, element)));
    const y = div(b, x, root);
    return weight === undefined ? y : mul(b, y, weight);
  },
  l2_normalize({ x }, { scale, epsilon }, b) {
    const element = x.type.element;
    const length = reduce(b, "ReduceL2", x, x.type.shape.length - 1, true);
    // scale x / max(|x|, epsilon) = x / max(|x| / scale, epsilon / scale), one pass less over x.
    const atLeast = (value: OnnxValue, least: number) =>
      b.node("Clip", [value, scalar(b, least, element)], value.type);
    if (scale <= 0) return mul(b, div(b, x, atLeast(length, epsilon)), scalar(b, scale, element));
    const scaled = scale === 1 ? length : mul(b, length, scalar(b, 1 / scale, element));
    return div(b, x, atLeast(scaled, epsilon / scale));
  },
} satisfies OnnxLowerings;
