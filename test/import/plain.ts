// Transformers in plain loops over rows of numbers, for layouts that no golden case covers. Written from the papers'
// formulas; shares nothing with src.

import { f32, file } from "../weights/helpers.js";

/** Rows [L][width]. */
export type Rows = number[][];
/** Tensors of a checkpoint by name. */
export type Weights = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: number[] }>
>;

/** W x + b of every row, W [out, in] as PyTorch stores it. */
export function linear(x: Rows, weights: Weights, name: string): Rows {
  const { shape, data } = weights[`${name}.weight`]!;
  const bias = weights[`${name}.bias`]?.data;
  return x.map((row) =>
    Array.from({ length: shape[0]! }, (_, o) =>
      row.reduce((sum, value, i) => sum + data[o * shape[1]! + i]! * value, bias?.[o] ?? 0),
    ),
  );
}

/** w x / sqrt(mean(x^2) + eps). */
export function rmsNorm(x: Rows, weight: readonly number[], eps: number): Rows {
  return x.map((row) => {
    const scale = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length + eps);
    return row.map((v, i) => v * scale * weight[i]!);
  });
}

/** w (x - mean) / sqrt(variance + eps). */
export function layerNorm(x: Rows, weight: readonly number[], eps: number): Rows {
  return x.map((row) => {
    const mean = row.reduce((sum, v) => sum + v, 0) / row.length;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length;
    return row.map((v, i) => ((v - mean) / Math.sqrt(variance + eps)) * weight[i]!);
  });
}

export const silu = (v: number): number => v / (1 + Math.exp(-v));
export const geluTanh = (v: number): number =>
  0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
export const add = (a: Rows, b: Rows, scale = 1): Rows =>
  a.map((row, i) => row.map((v, j) => v + scale * b[i]![j]!));
export const multiply = (a: Rows, b: Rows): Rows => a.map((row, i) => row.map((v, j) => v * b[i]![j]!));
export const each = (x: Rows, of: (v: number) => number): Rows => x.map((row) => row.map(of));

export function softmax(row: readonly number[]): number[] {
  const top = Math.max(...row);
  const weights = row.map((v) => Math.exp(v - top));
  const sum = weights.reduce((total, v) => total + v, 0);
  return weights.map((v) => v / sum);
}

/** Channels [from, from + size) of every row. */
export const columns = (x: Rows, from: number, size: number): Rows =>
  x.map((row) => row.slice(from, from + size));

/** Half-rotated: (a, b) -> (a cos - b sin, b cos + a sin) with a, b the halves, angle position base^(-2 i / size). */
export function rotate(x: Rows, base: number): Rows {
  return x.map((row, position) => {
    const half = row.length / 2;
    return row.map((v, c) => {
      const angle = position * base ** (-(2 * (c % half)) / row.length);
      return c < half
        ? v * Math.cos(angle) - row[c + half]! * Math.sin(angle)
        : v * Math.cos(angle) + row[c - half]! * Math.sin(angle);
    });
  });
}

/** softmax(q k^T / sqrt(size)) v of one head over the positions that `sees` allows. */
export function attend(q: Rows, k: Rows, v: Rows, sees: (i: number, j: number) => boolean): Rows {
  return q.map((row, i) => {
    const scores = k.map((key, j) =>
      sees(i, j)
        ? row.reduce((sum, value, c) => sum + value * key[c]!, 0) / Math.sqrt(row.length)
        : -Infinity,
    );
    const p = softmax(scores);
    return row.map((_, c) => p.reduce((sum, weight, j) => sum + weight * v[j]![c]!, 0));
  });
}

/** Heads side by side. */
export const beside = (heads: readonly Rows[]): Rows =>
  heads[0]!.map((_, i) => heads.flatMap((head) => head[i]!));

/** Uneven numbers in (-scale, scale) that float32 holds exactly, the same on every run. */
export function numbers(count: number, seed: number, scale = 0.5): number[] {
  return Array.from({ length: count }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453;
    return Math.round((2 * (x - Math.floor(x)) - 1) * scale * 4096) / 4096;
  });
}

/** Weights of these shapes; what ends with "norm.weight" or has one axis lies around 1. */
export function weightsOf(shapes: Readonly<Record<string, readonly number[]>>): Weights {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], seed) => {
      const data = numbers(
        shape.reduce((n, extent) => n * extent, 1),
        seed,
      );
      return [
        name,
        { shape, data: shape.length === 1 && name.includes("norm") ? data.map((v) => 1 + v) : data },
      ];
    }),
  );
}

/** The weights as a safetensors file of float32. */
export function stored(weights: Weights): Uint8Array {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }]) => {
      at += 4 * data.length;
      return [name, { dtype: "F32", shape, data_offsets: [at - 4 * data.length, at] }];
    }),
  );
  return file(header, f32(...Object.values(weights).flatMap(({ data }) => data)));
}

/** The largest difference over the largest of the expected numbers. */
export function difference(found: ArrayLike<number>, expected: Rows): number {
  const flat = expected.flat();
  if (found.length !== flat.length) return Number.POSITIVE_INFINITY;
  const size = flat.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  return flat.reduce((most, v, i) => Math.max(most, Math.abs(v - found[i]!)), 0) / size;
}
