// Gated linear recurrences, one position after the other.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log1p(Math.exp(x));

test.each([
  { form: "rg_lru", blocks: 1, bias: true, length: 11 },
  { form: "rg_lru", blocks: 3, bias: true, length: 8 },
  { form: "min_gru", blocks: 1, bias: false, length: 9 },
  { form: "min_gru", blocks: 2, bias: true, length: 1 },
])("%o", async ({ form, blocks, bias, length }) => {
  const width = 6;
  const run = await runMixer({ kind: "gated_recurrence", form, blocks, bias }, { batch: 1, length, width });
  const size = width / blocks;
  const layer = (name: string): Float64Array => {
    const weight = Array.from(run.parameter(`${name}.weight`));
    expect(weight.length).toBe(blocks * size * size);
    const y = new Float64Array(length * width);
    for (let block = 0; block < blocks; block++) {
      const rows = Array.from(run.x).filter((_, i) => Math.floor((i % width) / size) === block);
      const part = weight.slice(block * size * size, (block + 1) * size * size);
      linearDirectly(rows, part, undefined, size).forEach((v, i) => {
        const c = block * size + (i % size);
        y[Math.floor(i / size) * width + c] = v + (bias ? run.parameter(`${name}.bias`)[c]! : 0);
      });
    }
    return y;
  };
  const [recurrence, input] = [layer("recurrence"), layer("input")];
  const y = new Float64Array(length * width);
  for (let c = 0; c < width; c++) {
    let h = 0;
    for (let t = 0; t < length; t++) {
      const at = t * width + c;
      const gate = sigmoid(recurrence[at]!);
      if (form === "min_gru") h = (1 - gate) * h + gate * input[at]!;
      else {
        const a = Math.exp(-8 * softplus(run.parameter("decay")[c]!) * gate);
        h = a * h + Math.sqrt(1 - a * a) * sigmoid(input[at]!) * run.x[at]!;
      }
      y[at] = h;
    }
  }
  expectEach(run, y);
});
