// Runners small enough to follow by hand: the stub denoiser of the dlm-sampler golden cases, in float64.

import { argmaxRows } from "../../src/runtime/margins.js";
import type { FloatArray, StepRunner } from "../../src/runtime/step-runner.js";
import { golden } from "../diffusion/golden.js";

/** Index of the row of `table` [V, d] nearest to `x` [d]: argmin of max(0, |e|^2 + |x|^2 - 2 <e, x>). */
export function nearestRow(table: Float64Array, x: ArrayLike<number>, dim: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let v = 0; v < table.length / dim; v++) {
    let distance = 0;
    for (let c = 0; c < dim; c++) {
      const [e, value] = [table[v * dim + c]!, x[c]!];
      distance += e * e + value * value - 2 * e * value;
    }
    distance = Math.max(0, distance);
    if (distance < least) {
      least = distance;
      best = v;
    }
  }
  return best;
}

/**
 * The stub of `dlm-sampler-*`: model(x, t) = (x + mix roll(x, +1 along L)) W^T + b + (t / 1000) tw, with the
 * rounding embedding `emb.weight`. `clamp` replaces x0 by its nearest row.
 */
export function stubRunner(name: string, options: { clamp?: boolean } = {}): StepRunner {
  const weight = golden(name, "weights");
  const [W, bias, tw, table] = ["stub.W", "stub.b", "stub.tw", "emb.weight"].map(weight) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const mix = weight("stub.mix")[0]!;
  const dim = bias.length;
  const vocabulary = table.length / dim;
  const length = 5;

  const predict = (x: FloatArray, batch: number, t: number): Float64Array => {
    const x0 = new Float64Array(x.length);
    for (let b = 0; b < batch; b++)
      for (let i = 0; i < length; i++) {
        const at = (b * length + i) * dim;
        const before = (b * length + ((i + length - 1) % length)) * dim;
        for (let o = 0; o < dim; o++) {
          let sum = bias[o]! + (t / 1000) * tw[o]!;
          for (let c = 0; c < dim; c++) sum += W[o * dim + c]! * (x[at + c]! + mix * x[before + c]!);
          x0[at + o] = sum;
        }
      }
    return x0;
  };
  const nearest = (x: FloatArray): Int32Array =>
    Int32Array.from({ length: x.length / dim }, (_, i) =>
      nearestRow(table, x.subarray(i * dim, (i + 1) * dim), dim),
    );
  const rows = (tokens: ArrayLike<number>): Float64Array => {
    const x = new Float64Array(tokens.length * dim);
    for (let i = 0; i < tokens.length; i++)
      x.set(table.subarray(tokens[i]! * dim, (tokens[i]! + 1) * dim), i * dim);
    return x;
  };
  return {
    length,
    dim,
    vocabulary,
    embed: async (tokens) => rows(tokens),
    async step({ batch, x, previousX0, noise, row, fixedMask, fixedX }) {
      const seen = Float64Array.from(x, (value, k) =>
        fixedMask[Math.floor(k / dim)] === 1 ? fixedX[k]! : value,
      );
      const predicted = predict(seen, batch, row.level);
      const tokens = nearest(predicted);
      const x0 = options.clamp ? rows(tokens) : predicted;
      const next = x0.map(
        (value, k) => row.a * value + row.b * seen[k]! + row.c * previousX0[k]! + row.s * noise[k]!,
      );
      return { x: next, x0, tokens };
    },
    async round(x) {
      const logits = new Float64Array((x.length / dim) * vocabulary);
      for (let i = 0; i < x.length / dim; i++)
        for (let v = 0; v < vocabulary; v++)
          for (let c = 0; c < dim; c++) logits[i * vocabulary + v]! += x[i * dim + c]! * table[v * dim + c]!;
      return { logits, tokens: argmaxRows(logits, vocabulary) };
    },
    async dispose() {},
  };
}
