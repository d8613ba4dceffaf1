// Convolutions whose kernels are made from the data, against the kernel and the sum over positions written out.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, type MixerRun, runMixer } from "./mixer-alone.js";

/** The rows of a batch entry of a linear layer of the input. */
function layer(run: MixerRun, name: string, batch: number, bias: boolean): Float64Array {
  const { length, width } = run;
  return linearDirectly(
    run.x.subarray(batch * length * width, (batch + 1) * length * width),
    run.parameter(`${name}.weight`),
    bias ? run.parameter(`${name}.bias`) : undefined,
    width,
  );
}

test.each([
  { length: 9, width: 6, heads: 3, scores: "linear", bias: false },
  { length: 8, width: 4, heads: 1, scores: "linear", bias: true },
  { length: 7, width: 6, heads: 2, scores: "averaged_key", bias: true },
  { length: 1, width: 2, heads: 2, scores: "averaged_key", bias: false },
])("circulant softmax, %o", async ({ length, width, ...filter }) => {
  const { heads, scores, bias } = filter;
  const size = width / heads;
  const run = await runMixer(
    { kind: "adaptive_conv", filter: { kind: "circulant_softmax", ...filter } },
    { batch: 2, length, width },
  );
  const expected: number[] = [];
  for (let n = 0; n < 2; n++) {
    const v = layer(run, "in_proj", n, true);
    const z = (t: number, h: number): number => {
      if (scores === "linear") return layer(run, "filter.scores", n, bias)[t * heads + h]!;
      const [q, k] = [layer(run, "filter.q", n, bias), layer(run, "filter.k", n, bias)];
      let sum = 0;
      for (let c = h * size; c < (h + 1) * size; c++)
        for (let s = 0; s < length; s++) sum += (q[t * width + c]! * k[s * width + c]!) / length;
      return sum / Math.sqrt(size);
    };
    const y = new Float64Array(length * width);
    for (let h = 0; h < heads; h++) {
      const powers = Array.from({ length }, (_, t) => Math.exp(z(t, h)));
      const total = powers.reduce((sum, p) => sum + p, 0);
      for (let i = 0; i < length; i++)
        for (let j = 0; j < length; j++) {
          const w = powers[(j - i + length) % length]! / total;
          for (let c = h * size; c < (h + 1) * size; c++) y[i * width + c]! += w * v[j * width + c]!;
        }
    }
    expected.push(
      ...linearDirectly(y, run.parameter("out_proj.weight"), run.parameter("out_proj.bias"), width),
    );
  }
  expect(expected.length).toBe(2 * length * width);
  expectEach(run, expected);
});
