// Transforms: stage matrices and spectra of constant filters become stored constants; plain real transforms are
// matrix products too, because ONNX's DFT has no CUDA kernel and is slow and inexact on the CPU. Who wants DFT
// nothing less (to measure it, say) asks for it by name.
import { dim } from "../../ir/dim.js";
import type { EvaluateContext } from "../../ir/op.js";
import { type OpName, ops } from "../../ir/ops/index.js";
import { type Tensor, tensor } from "../../ir/tensor.js";
import { bug } from "../../support/diagnostic.js";
import { attr, type OnnxAttribute } from "../attributes.js";
import type { GraphBuilder } from "../graph-builder.js";
import type { LoweringContext, OnnxLowerings } from "../lowering.js";
import { concat, extentNumber, matmul, mul, reshape, scalar, slice, transpose } from "../nodes.js";
import { type OnnxValue, onnxType } from "../value.js";

/** Sizes of bound extents; constants have no others. */
const bound: EvaluateContext = {
  size: extentNumber,
  shape: (extents) => extents.map(extentNumber),
  weight: (name) => bug(`weight ${name} is read through its value`),
  call: (graph) => bug(`@${graph} is called by a constant`),
};

/** The op's own reference, run once when the file is written. */
function folded(
  b: GraphBuilder,
  name: OpName,
  operands: Readonly<Record<string, OnnxValue | undefined>>,
  attributes: object,
  { resultTypes }: LoweringContext,
): OnnxValue {
  let result: Tensor | undefined;
  const read = (): Tensor => {
    const numbers = (v: OnnxValue | undefined) =>
      v && (v.constant?.read() ?? bug(`${name} of ${v.name}, which is not known when the file is written`));
    const tensors = Object.fromEntries(Object.entries(operands).map(([slot, v]) => [slot, numbers(v)]));
    result ??= ops[name].evaluate(tensors as never, attributes as never, bound)[0]!;
    return result;
  };
  return b.constant(name, onnxType(resultTypes[0]!), { read });
}

/** cos and sin of -2 pi i k / n, the angle reduced in integers first. */
function turn(n: number, product: number): readonly [cos: number, sin: number] {
  const angle = (2 * Math.PI * (product % n)) / n;
  return [Math.cos(angle), -Math.sin(angle)];
}

/** [n, 2 bins]: column 2k is cos, 2k+1 is -sin, rows beyond the samples given are left out. */
function forwardMatrix(b: GraphBuilder, samples: number, n: number): OnnxValue {
  return b.memoized(`rfft ${samples} ${n}`, () => {
    const columns = 2 * (Math.floor(n / 2) + 1);
    const data = new Float64Array(samples * columns);
    for (let t = 0; t < samples; t++)
      for (let k = 0; 2 * k < columns; k++) data.set(turn(n, t * k), t * columns + 2 * k);
    return matrix(b, "rfft_matrix", [samples, columns], data);
  });
}

/** [2 bins, n]: the real part of the inverse; every bin but 0 and n/2 stands for its mirror too. */
function inverseMatrix(b: GraphBuilder, n: number): OnnxValue {
  return b.memoized(`irfft ${n}`, () => {
    const bins = Math.floor(n / 2) + 1;
    const data = new Float64Array(2 * bins * n);
    for (let k = 0; k < bins; k++) {
      const own = (2 * k) % n === 0;
      for (let t = 0; t < n; t++) {
        const [cos, sin] = turn(n, t * k);
        data[2 * k * n + t] = ((own ? 1 : 2) * cos) / n;
        data[(2 * k + 1) * n + t] = own ? 0 : (2 * sin) / n;
      }
    }
    return matrix(b, "irfft_matrix", [2 * bins, n], data);
  });
}

function matrix(b: GraphBuilder, name: string, shape: readonly number[], data: Float64Array): OnnxValue {
  const held = tensor("f32", shape, data);
  return b.constant(name, { element: "float", shape: shape.map((n) => dim(n)) }, { read: () => held });
}

/** The permutation that moves `axis` to the end of the first `rank` axes. */
function toLast(rank: number, axis: number): number[] {
  return [...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis), axis];
}

const inverted = (permutation: readonly number[]): number[] =>
  permutation.map((_, i) => permutation.indexOf(i));

export const transforms = {
  fft_matrix: (_, attributes, b, context) => folded(b, "fft_matrix", {}, attributes, context),
  dft_matrix: (_, attributes, b, context) => folded(b, "dft_matrix", {}, attributes, context),
  fft_spectrum: (operands, attributes, b, context) =>
    folded(b, "fft_spectrum", operands, attributes, context),
  rfft({ x }, { axis, length }, b) {
    const rank = x.type.shape.length;
    const [samples, n] = [extentNumber(x.type.shape[axis]!), extentNumber(length)];
    if (b.options.dft) {
      const complex = reshape(b, x, [...x.type.shape, 1]);
      return dft(b, complex, axis, n, Math.floor(n / 2) + 1, { onesided: attr.int(1) });
    }
    const order = toLast(rank, axis);
    const lines = transpose(b, x, order);
    const y = onRows(b, lines, forwardMatrix(b, samples, n));
    const pairs = reshape(b, y, [...y.type.shape.slice(0, -1), Math.floor(n / 2) + 1, 2]);
    return transpose(b, pairs, [...inverted(order), rank]);
  },
  irfft({ x }, { axis, length }, b) {
    const rank = x.type.shape.length - 1;
    const n = extentNumber(length);
    if (b.options.dft) {
      const whole = dft(b, wholeSpectrum(b, x, axis, n), axis, n, n, { inverse: attr.int(1) });
      const real = slice(b, whole, rank, 0, 1);
      return reshape(b, real, real.type.shape.slice(0, -1));
    }
    const order = toLast(rank, axis);
    const pairs = transpose(b, x, [...order, rank]);
    const lines = reshape(b, pairs, [...pairs.type.shape.slice(0, -2), 2 * (Math.floor(n / 2) + 1)]);
    return transpose(b, onRows(b, lines, inverseMatrix(b, n)), inverted(order));
  },
  depthwise_conv({ x, k }, { before, after }, b, { resultTypes }) {
    const [channels, taps] = k.type.shape.map(extentNumber) as [number, number];
    return b.node("Conv", [x, reshape(b, k, [channels, 1, taps])], onnxType(resultTypes[0]!), {
      group: attr.int(channels),
      kernel_shape: attr.ints([taps]),
      pads: attr.ints([before, after]),
    });
  },
} satisfies OnnxLowerings;

/** One DFT node on x[.., 1 or 2]; opset 20 made the axis an input. */
function dft(
  b: GraphBuilder,
  x: OnnxValue,
  axis: number,
  length: number,
  bins: number,
  attributes: Readonly<Record<string, OnnxAttribute>>,
): OnnxValue {
  const shape = [...x.type.shape.slice(0, -1).map((d, i) => (i === axis ? dim(bins) : d)), dim(2)];
  const type = { element: x.type.element, shape };
  const points = scalar(b, length, "int64");
  if (b.atLeastOpset(20)) return b.node("DFT", [x, points, scalar(b, axis, "int64")], type, attributes);
  return b.node("DFT", [x, points], type, { axis: attr.int(axis), ...attributes });
}

/** X[0 .. n/2] with its mirror X[n-k] = conj X[k]. */
function wholeSpectrum(b: GraphBuilder, x: OnnxValue, axis: number, n: number): OnnxValue {
  const bins = Math.floor(n / 2) + 1;
  if (n === bins) return x;
  const mirrored = slice(b, x, axis, n - bins, n - bins, -1);
  const conjugate = b.literal("float", [2], [1, -1], "conjugate");
  return concat(b, [x, mul(b, mirrored, conjugate)], axis);
}

/** x times a matrix over its last axis; a lone line counts as one row. */
function onRows(b: GraphBuilder, x: OnnxValue, m: OnnxValue): OnnxValue {
  if (x.type.shape.length > 1) return matmul(b, x, m);
  return reshape(b, matmul(b, reshape(b, x, [1, x.type.shape[0]!]), m), [m.type.shape[1]!]);
}
