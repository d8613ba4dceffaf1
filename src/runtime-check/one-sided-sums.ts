// Sums whose terms have one sign. The rounding models of ops take terms of random sign, whose partial sums grow like
// a random walk. Terms of one sign are worse: partial sums grow like s_j = (j/K) s, and roundings of random sign in
// each of them, u |s_j| xi, add up to u |s| sqrt(sum_j (j/K)^2) = u |s| sqrt(K/3). A target that sums in several
// lanes does better; nothing in a graph says that it must.

import type { Op } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";

/** What the sums of an op add to its rounding model, in units of u; undefined for ops without long sums. */
export function oneSidedSums(
  op: Op,
  [x, weight]: readonly (Tensor | undefined)[],
  [y]: readonly Tensor[],
): Float64Array | undefined {
  const growth = (terms: number): Float64Array => y!.data.map((v) => Math.sqrt(terms / 3) * Math.abs(v));
  switch (op.name) {
    case "matmul":
    case "linear":
      return growth(x!.shape[x!.shape.length - 1]!);
    case "reduce_sum":
    case "reduce_mean":
      return growth(x!.shape[op.attributes.axis as number]!);
    case "layer_norm":
      return meanGrowth(x!, weight, op.attributes.epsilon as number);
    default:
      return undefined;
  }
}

/** The mean m of a row is off by u |m| sqrt(n/3), and so is every centred number: |weight| / sigma times that. */
function meanGrowth(x: Tensor, weight: Tensor | undefined, epsilon: number): Float64Array {
  const n = x.shape[x.shape.length - 1]!;
  const out = new Float64Array(x.data.length);
  for (let start = 0; start < out.length; start += n) {
    const row = x.data.subarray(start, start + n);
    const mean = row.reduce((sum, v) => sum + v, 0) / n;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n;
    const error = (Math.sqrt(n / 3) * Math.abs(mean)) / Math.sqrt(variance + epsilon);
    for (let i = 0; i < n; i++) out[start + i] = error * Math.abs(weight?.data[i] ?? 1);
  }
  return out;
}
