// Selective state-space models against the recurrence, one position after the other.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

const silu = (x: number): number => x / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log1p(Math.exp(x));

test.each([
  { length: 9, width: 3, inner_factor: 2, states: 4, step_rank: undefined, rank: 1 },
  { length: 16, width: 2, inner_factor: 1, states: 1, step_rank: 2, rank: 2 },
  { length: 1, width: 17, inner_factor: 1, states: 2, step_rank: undefined, rank: 2 },
])("Mamba's mixer, %o", async ({ length, width, rank, step_rank, ...sizes }) => {
  const mixer = { kind: "selective_ssm", ...sizes, ...(step_rank !== undefined && { step_rank }) };
  const run = await runMixer(mixer, { batch: 2, length, width });
  const { states } = sizes;
  const inner = sizes.inner_factor * width;
  const read = run.parameter;
  expect(read("step.weight").length).toBe(inner * rank);
  const expected: number[] = [];
  for (let n = 0; n < 2; n++) {
    const u = run.x.subarray(n * length * width, (n + 1) * length * width);
    const both = linearDirectly(u, read("in_proj.weight"), undefined, width);
    const [taps, bias] = [read("short_conv.weight"), read("short_conv.bias")];
    const x = Float64Array.from({ length: length * inner }, (_, i) => {
      const [t, c] = [Math.floor(i / inner), i % inner];
      let sum = bias[c]!;
      for (let j = 0; j < 4; j++)
        if (t - 3 + j >= 0) sum += taps[4 * c + j]! * both[(t - 3 + j) * 2 * inner + c]!;
      return silu(sum);
    });
    const selected = linearDirectly(x, read("select.weight"), undefined, inner);
    const y = new Float64Array(length * inner);
    const h = new Float64Array(inner * states);
    for (let t = 0; t < length; t++) {
      const row = selected.subarray(t * (rank + 2 * states), (t + 1) * (rank + 2 * states));
      const steps = linearDirectly(row.subarray(0, rank), read("step.weight"), read("step.bias"), rank);
      for (let c = 0; c < inner; c++) {
        const d = softplus(steps[c]!);
        let sum = read("skip")[c]! * x[t * inner + c]!;
        for (let s = 0; s < states; s++) {
          const at = c * states + s;
          const kept = Math.exp(-d * Math.exp(read("log_decay")[at]!));
          h[at] = kept * h[at]! + d * row[rank + s]! * x[t * inner + c]!;
          sum += row[rank + states + s]! * h[at]!;
        }
        y[t * inner + c] = sum * silu(both[t * 2 * inner + inner + c]!);
      }
    }
    expected.push(...linearDirectly(y, read("out_proj.weight"), undefined, inner));
  }
  expectEach(run, expected);
});
