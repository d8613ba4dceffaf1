// Stand-ins for artefacts: a float32 evaluation that sums in plain order and rounds after every operation, and
// the same with one mistake.

import type { Dim } from "../../src/ir/dim.js";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Graph, Module, Op } from "../../src/ir/graph.js";
import { broadcastStrides, lines, map, walk } from "../../src/ir/loops.js";
import { operandRecord } from "../../src/ir/op.js";
import { definitionOf } from "../../src/ir/ops/index.js";
import { count, type Tensor, tensor } from "../../src/ir/tensor.js";
import { correctlyRounded } from "../../src/runtime-check/accuracy.js";
import type { Candidate } from "../../src/runtime-check/candidate.js";
import { stored } from "../../src/runtime-check/stored.js";

const f = Math.fround;
type Record_ = Readonly<Record<string, Tensor>>;
type Attributes = Readonly<Record<string, number | boolean | string>>;

/** The last two axes exchanged. */
export function swapLast(x: Tensor): Tensor {
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const block = rows * columns;
  const data = x.data.map((_, i) => {
    const inside = i % block;
    return x.data[i - inside + (inside % rows) * columns + Math.floor(inside / rows)]!;
  });
  return { ...x, shape: [...x.shape.slice(0, -2), columns, rows], data };
}

/** out[m, n] = sum_k a[m, k] b[k, n], product and sum rounded each time, k in order. */
function gemm32(a: Tensor, b: Tensor): Tensor {
  const [m, k] = a.shape.slice(-2) as [number, number];
  const n = b.shape[b.shape.length - 1]!;
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch =
    batchA.length >= batchB.length
      ? batchA.map((e, i) => Math.max(e, batchB[i - (batchA.length - batchB.length)] ?? 1))
      : batchB;
  const out = tensor("f32", [...batch, m, n]);
  walk(batch, [broadcastStrides(batchA, batch), broadcastStrides(batchB, batch)], (at, o) => {
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++)
          sum = f(sum + f(a.data[o[0]! * m * k + i * k + p]! * b.data[o[1]! * k * n + p * n + j]!));
        out.data[at * m * n + i * n + j] = sum;
      }
  });
  return out;
}

function norm32(
  x: Tensor,
  weight: Tensor | undefined,
  bias: Tensor | undefined,
  epsilon: number,
  centred: boolean,
): Tensor {
  const out = tensor("f32", x.shape);
  const n = x.shape[x.shape.length - 1]!;
  for (let start = 0; start < x.data.length; start += n) {
    let mean = 0;
    if (centred) {
      for (let i = 0; i < n; i++) mean = f(mean + x.data[start + i]!);
      mean = f(mean / n);
    }
    let variance = 0;
    for (let i = 0; i < n; i++) {
      const d = f(x.data[start + i]! - mean);
      variance = f(variance + f(d * d));
    }
    const inverse = f(1 / f(Math.sqrt(f(f(variance / n) + f(epsilon)))));
    for (let i = 0; i < n; i++)
      out.data[start + i] = f(
        f(f(f(x.data[start + i]! - mean) * inverse) * (weight?.data[i] ?? 1)) + (bias?.data[i] ?? 0),
      );
  }
  return out;
}

function softmax32(x: Tensor, axis: number): Tensor {
  const out = tensor("f32", x.shape);
  const n = x.shape[axis]!;
  lines(x.shape, axis, n, (start, _, stride) => {
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < n; i++) most = Math.max(most, x.data[start + i * stride]!);
    let total = 0;
    for (let i = 0; i < n; i++)
      total = f(total + (out.data[start + i * stride] = f(Math.exp(f(x.data[start + i * stride]! - most)))));
    for (let i = 0; i < n; i++) out.data[start + i * stride] = f(out.data[start + i * stride]! / total);
  });
  return out;
}

/** Honest float32 versions of the ops that round more than once. */
const versions: Readonly<Record<string, (o: Record_, a: Attributes, y: Tensor) => Tensor>> = {
  matmul: ({ a, b }, { transpose_b }) => gemm32(a!, transpose_b ? swapLast(b!) : b!),
  linear: ({ x, weight, bias }, _, y) => {
    const width = x!.shape[x!.shape.length - 1]!;
    const flat = gemm32({ ...x!, shape: [x!.data.length / width, width] }, swapLast(weight!));
    const n = weight!.shape[0]!;
    return { ...y, data: flat.data.map((v, i) => (bias === undefined ? v : f(v + bias.data[i % n]!))) };
  },
  layer_norm: ({ x, weight, bias }, { epsilon }) => norm32(x!, weight, bias, epsilon as number, true),
  rms_norm: ({ x, weight }, { epsilon }) => norm32(x!, weight, undefined, epsilon as number, false),
  softmax: ({ x }, { axis }) => softmax32(x!, axis as number),
  reduce_sum: ({ x }, { axis }, y) => reduce32(x!, axis as number, y, 1),
  reduce_mean: ({ x }, { axis }, y) => reduce32(x!, axis as number, y, x!.shape[axis as number]!),
  gelu: ({ x }, { approximate }, y) =>
    approximate === "tanh"
      ? map(x!, (v) => {
          const inside = f(f(Math.sqrt(2 / Math.PI)) * f(v + f(f(0.044715) * f(v * f(v * v)))));
          return f(f(0.5 * v) * f(1 + f(Math.tanh(inside))));
        })
      : // y = x/2 (1 + erf): erf is 2 y / x - 1, rounded as a float32 library would return it.
        {
          ...y,
          data: y.data.map((v, i) => {
            const x0 = x!.data[i]!;
            return x0 === 0 ? 0 : f(f(0.5 * x0) * f(1 + f((2 * v) / x0 - 1)));
          }),
        },
  silu: ({ x }) => map(x!, (v) => f(v * f(1 / f(1 + f(Math.exp(-v)))))),
  scale: ({ x }, { factor, offset }) => map(x!, (v) => f(f(f(factor as number) * v) + f(offset as number))),
  long_conv: ({ x, k, skip }, attributes, y) => conv32(x!, k!, skip, attributes, y),
  attention: ({ q, k, v }, attributes, y) => attention32(q!, k!, v!, attributes, y),
  affine_step: ({ x0, x, noise, coefficients, x0_prev }) => {
    const [positions, width] = [coefficients!.data.length / 4, x0!.shape[x0!.shape.length - 1]!];
    return {
      ...x0!,
      data: x0!.data.map((v, i) => {
        const at = 4 * (Math.floor(i / width) % positions);
        const [a, b, c, s] = coefficients!.data.subarray(at, at + 4) as unknown as [
          number,
          number,
          number,
          number,
        ];
        return f(
          f(f(f(a * v) + f(b * x!.data[i]!)) + f(c * (x0_prev?.data[i] ?? 0))) + f(s * noise!.data[i]!),
        );
      }),
    };
  },
};

function reduce32(x: Tensor, axis: number, y: Tensor, divisor: number): Tensor {
  const out = tensor("f32", y.shape);
  lines(x.shape, axis, 1, (start, to, stride) => {
    let sum = 0;
    for (let i = 0; i < x.shape[axis]!; i++) sum = f(sum + x.data[start + i * stride]!);
    out.data[to] = f(sum / divisor);
  });
  return out;
}

function conv32(x: Tensor, k: Tensor, skip: Tensor | undefined, attributes: Attributes, y: Tensor): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  const [taps, groups] = k.shape as [number, number];
  const out = tensor("f32", y.shape);
  for (let b = 0; b < batch; b++)
    for (let t = 0; t < length; t++)
      for (let c = 0; c < width; c++) {
        let sum = 0;
        for (let s = 0; s < length; s++)
          for (let j = 0; j < taps; j++) {
            const lag = j - (attributes.lag0 as number);
            const hit = attributes.circular
              ? (((t - s - lag) % length) + length) % length === 0
              : t - s === lag;
            if (hit)
              sum = f(
                sum +
                  f(
                    k.data[j * groups + Math.floor((c * groups) / width)]! *
                      x.data[(b * length + s) * width + c]!,
                  ),
              );
          }
        if (skip !== undefined) sum = f(sum + f(skip.data[c]! * x.data[(b * length + t) * width + c]!));
        out.data[(b * length + t) * width + c] = sum;
      }
  return out;
}

function attention32(q: Tensor, k: Tensor, v: Tensor, attributes: Attributes, y: Tensor): Tensor {
  const [batch, length, width] = q.shape as [number, number, number];
  const [heads, kvHeads, scale] = [attributes.heads, attributes.kv_heads, attributes.scale] as [
    number,
    number,
    number,
  ];
  const size = width / heads;
  const kvWidth = kvHeads * size;
  const keys = k.shape[1]!;
  const out = tensor("f32", y.shape);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor((h * kvHeads) / heads);
      const scores = tensor("f32", [length, keys]);
      for (let i = 0; i < length; i++)
        for (let j = 0; j < keys; j++) {
          let sum = 0;
          for (let c = 0; c < size; c++)
            sum = f(
              sum +
                f(
                  q.data[(b * length + i) * width + h * size + c]! *
                    k.data[(b * keys + j) * kvWidth + kv * size + c]!,
                ),
            );
          scores.data[i * keys + j] =
            attributes.mask === "causal" && j > i ? Number.NEGATIVE_INFINITY : f(sum * f(scale));
        }
      const weights = softmax32(scores, 1);
      for (let i = 0; i < length; i++)
        for (let c = 0; c < size; c++) {
          let sum = 0;
          for (let j = 0; j < keys; j++)
            sum = f(sum + f(weights.data[i * keys + j]! * v.data[(b * keys + j) * kvWidth + kv * size + c]!));
          out.data[(b * length + i) * width + h * size + c] = sum;
        }
    }
  return out;
}

/** A mistake: the result an op gives instead, or undefined where it is right. */
export type Mistake = (
  op: Op,
  operands: Record_,
  results: readonly Tensor[],
  graph: Graph,
) => readonly Tensor[] | undefined;

/** One op again with other attributes or operands, in float32. */
export function again(op: Op, operands: Record_, attributes: Attributes = {}): readonly Tensor[] {
  const definition = definitionOf(op.name)!;
  const merged = { ...op.attributes, ...attributes };
  const context = { size: (extent: Dim) => extent.value! };
  const results = definition.evaluate(operands as never, merged as never, context as never);
  return round(op.name, operands, merged as never, results);
}

function round(
  name: string,
  operands: Record_,
  attributes: Attributes,
  results: readonly Tensor[],
): readonly Tensor[] {
  const version = versions[name];
  return version === undefined ? results.map(stored) : [version(operands, attributes, results[0]!)];
}

/** Float32 evaluation, honest unless a mistake is given. */
export function float32Candidate(mistake?: Mistake): Candidate {
  return {
    name: "float32",
    accuracy: correctlyRounded,
    run: async (module: Module, name, inputs) =>
      evaluate(module, name, inputs.map(stored), {
        observe(op, operands, results, graph) {
          if (op.name === "call") return results;
          const record = operandRecord(definitionOf(op.name)!.operands, operands) as Record_;
          return (
            mistake?.(op, record, results, graph) ??
            round(op.name, record, op.attributes as Attributes, results)
          );
        },
      }),
  };
}

/** A weight source of named tensors. */
export function weightsOf(tensors: Readonly<Record<string, Tensor>>): Module["weights"] {
  return { has: (name) => name in tensors, read: (name) => tensors[name]! };
}

/** Numbers in [-1, 1) from a small generator, times `size`. */
export function randomTensor(seed: number, shape: readonly number[], size = 1): Tensor {
  let state = seed * 7919 + 13;
  const data = Float64Array.from({ length: count(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let h = state;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return Math.fround(size * (((h ^ (h >>> 16)) >>> 0) * 2 ** -31 - 1));
  });
  return tensor("f32", shape, data);
}
