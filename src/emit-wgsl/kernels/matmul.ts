// Matrix products: what a linear layer and a batched product read and write, and which kernel makes them.

import { count } from "../../ir/tensor.js";
import type { Implementation, Opened, Shaped, Sink, Source, WgslKernels } from "../kernel.js";
import { axesPlace, flatPlace, type Place, rowPlace } from "../place.js";
import { directProduct } from "./direct-matmul.js";
import type { Ends, Product } from "./product.js";
import { thinLinear } from "./thin-linear.js";
import { tiled } from "./tiled-matmul.js";

/** Products with fewer multiplications than this read straight from the buffers. */
const small = 2 ** 26;

/** The kernel by size. */
function product(p: Product): Implementation {
  return p.batch * p.m * p.n * p.k < small ? directProduct(p) : tiled(p);
}

export const products = {
  linear(request) {
    const { x, weight, bias } = request.operandTypes;
    const [n, k] = weight.shape as [number, number];
    const m = count(x.shape) / k;
    const equation = `y = x weight^T${bias === undefined ? "" : " + bias"}`;
    const facts = {
      name: `linear_${m}x${k}_to_${n}${bias === undefined ? "" : "_bias"}${request.suffix}`,
      comment: [
        `${equation}: x [${m}, ${k}] (leading axes as one), weight [${n}, ${k}].`,
        ...request.around.map((line) => `  with ${line}`),
      ],
      m,
      k,
      n,
    };
    if (m <= 4) return thinLinear(request, facts);
    return product({
      ...facts,
      batch: 1,
      transposed: true,
      open(lanes, stores) {
        const { writer, operands, results } = request.open({ lanes, stores });
        const y = results[0]!;
        return {
          writer,
          a: (_, row, at, wide) => operands.x.load(rowPlace(operands.x.shape, row, at, wide)),
          b: (_, at, column, wide) =>
            operands.weight.load(axesPlace(operands.weight.shape, [column, at], wide)),
          store(_, row, column, wide, value) {
            const b = operands.bias?.load(axesPlace([n], [column], wide));
            y.store(rowPlace(y.shape, row, column, wide), b === undefined ? value : `${value} + ${b}`);
          },
        };
      },
    });
  },

  matmul(request) {
    const { transpose_b } = request.attributes;
    const { a, b } = request.operandTypes;
    const result = request.resultTypes[0]!;
    const [rows, k] = a.shape.slice(-2) as [number, number];
    const n = result.shape[result.shape.length - 1]!;
    // Without a batch of its own, b serves all rows of a: one product of more rows.
    const joined = count(b.shape.slice(0, -2)) === 1 && a.shape.length === result.shape.length;
    const batch = joined ? 1 : count(result.shape.slice(0, -2));
    const m = joined ? count(a.shape) / k : rows;
    return product({
      name: `matmul_${batch === 1 ? "" : `${batch}x`}${m}x${k}${transpose_b ? "_transposed" : ""}_to_${n}${request.suffix}`,
      comment: [
        `y[z, m, n] = sum_k a[z, m, k] b[z, ${transpose_b ? "n, k" : "k, n"}]: ${batch} x [${m}, ${k}] by [${transpose_b ? `${n}, ${k}` : `${k}, ${n}`}].`,
        ...request.around.map((line) => `  with ${line}`),
      ],
      batch,
      m,
      k,
      n,
      transposed: transpose_b,
      open(lanes, stores) {
        const opened = request.open({ lanes, stores });
        return { writer: opened.writer, ...matrices(opened, result, joined, transpose_b) };
      },
    });
  },
} satisfies WgslKernels;

/** Element access of a batched product whose leading axes broadcast. */
function matrices(
  { operands: { a, b }, results }: Opened<"matmul">,
  result: Shaped,
  joined: boolean,
  transposed: boolean,
): Omit<Ends, "writer"> {
  const y: Sink = results[0]!;
  const leading = result.shape.slice(0, -2);
  const at = (shape: readonly number[], z: string, row: string, column: string, lanes: 1 | 4): Place => {
    const matrix = shape.slice(-2);
    const batch = flatPlace(leading, z);
    const axes = leading.map((_, axis) => batch.axis(axis));
    return axesPlace([...leading, ...matrix], [...axes, row, column], lanes);
  };
  const load = (source: Source, z: string, row: string, column: string, lanes: 1 | 4): string =>
    source.load(
      joined ? rowPlace(source.shape, row, column, lanes) : at(source.shape, z, row, column, lanes),
    );
  return {
    a: (z, m, k, lanes) => load(a, z, m, k, lanes),
    b: (z, k, n, lanes) => (transposed ? load(b, z, n, k, lanes) : load(b, z, k, n, lanes)),
    store: (z, m, n, lanes, value) =>
      y.store(joined ? rowPlace(y.shape, m, n, lanes) : at(y.shape, z, m, n, lanes), value),
  };
}
