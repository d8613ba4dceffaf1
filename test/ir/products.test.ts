// Matrix products of the reference against the sum that defines them, on integers, whose sums are exact in any order.

import { expect, test } from "vitest";
import { matmul } from "../../src/ir/loops.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";

const filled = (shape: readonly number[], step: number): Tensor => {
  const out = tensor("f32", shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = ((i * step) % 19) - 9;
  return out;
};

test.each([1, 3, 4, 7, 13])("K = %i: b as it is and transposed, one b and one for each of a batch", (k) => {
  const [batch, m, n] = [2, 3, 5];
  const a = filled([batch, m, k], 7);
  for (const shared of [true, false])
    for (const transposed of [true, false]) {
      const b = filled([...(shared ? [] : [batch]), ...(transposed ? [n, k] : [k, n])], 5);
      const y = matmul(a, b, transposed);
      expect(y.shape).toEqual([batch, m, n]);
      for (let i = 0; i < y.data.length; i++) {
        const [s, r, c] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
        let sum = 0;
        for (let p = 0; p < k; p++)
          sum +=
            a.data[(s * m + r) * k + p]! *
            b.data[(shared ? 0 : s * k * n) + (transposed ? c * k + p : p * n + c)]!;
        expect(y.data[i]).toBe(sum);
      }
    }
});
