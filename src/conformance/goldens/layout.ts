// Small changes of layout between our tensors and upstream's recorded ones.

import type { GoldenTensor } from "./golden-case.js";

/** [.., a, b] -> [.., b, a]. */
export function swapLastAxes({ shape, data }: GoldenTensor): GoldenTensor {
  const [a, b] = [shape.at(-2)!, shape.at(-1)!];
  const swapped = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += a * b)
    for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) swapped[at + j * a + i] = data[at + i * b + j]!;
  return { shape: [...shape.slice(0, -2), b, a], data: swapped };
}

/** The first `count` entries of the last axis. */
export function firstOfLast({ shape, data }: GoldenTensor, count: number): GoldenTensor {
  const width = shape.at(-1)!;
  const rows = data.length / width;
  const cut = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) cut.set(data.subarray(row * width, row * width + count), row * count);
  return { shape: [...shape.slice(0, -1), count], data: cut };
}

/** Entry i of the first axis. */
export function entry({ shape, data }: GoldenTensor, i: number): Float64Array {
  const size = data.length / shape[0]!;
  return data.subarray(i * size, (i + 1) * size);
}

/** Arrays one after the other. */
export function joined(parts: readonly ArrayLike<number>[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Unnormalised rfft of each row, length n with zeros behind: [rows, n/2 + 1, 2] of (re, im), by definition. */
export function realSpectrum(rows: readonly ArrayLike<number>[], n: number): Float64Array {
  const bins = Math.floor(n / 2) + 1;
  const out = new Float64Array(rows.length * bins * 2);
  for (const [r, row] of rows.entries())
    for (let k = 0; k < bins; k++) {
      let [re, im] = [0, 0];
      for (let t = 0; t < row.length; t++) {
        const angle = (2 * Math.PI * ((k * t) % n)) / n;
        re += row[t]! * Math.cos(angle);
        im -= row[t]! * Math.sin(angle);
      }
      out[(r * bins + k) * 2] = re;
      out[(r * bins + k) * 2 + 1] = im;
    }
  return out;
}
