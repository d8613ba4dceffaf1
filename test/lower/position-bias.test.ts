// Biases of attention by distance, against attention written out with the bias of each pair of positions.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, type MixerRun, runMixer } from "./mixer-alone.js";

/** Attention with a bias for query i, key j and head h, of batch row 0. */
function attended(
  run: MixerRun,
  heads: number,
  scale: number,
  bias: (h: number, i: number, j: number) => number,
): Float64Array {
  const { length, width } = run;
  const size = width / heads;
  const qkv = linearDirectly(run.x, run.parameter("qkv.weight"), run.parameter("qkv.bias"), width);
  const part = (which: number, t: number, c: number) => qkv[t * 3 * width + which * width + c]!;
  const y = new Float64Array(length * width);
  for (let h = 0; h < heads; h++)
    for (let i = 0; i < length; i++) {
      const weights = Array.from({ length }, (_, j) => {
        let dot = 0;
        for (let c = h * size; c < (h + 1) * size; c++) dot += part(0, i, c) * part(1, j, c);
        return Math.exp(scale * dot + bias(h, i, j));
      });
      const total = weights.reduce((sum, w) => sum + w, 0);
      for (let c = h * size; c < (h + 1) * size; c++)
        for (let j = 0; j < length; j++) y[i * width + c]! += (weights[j]! / total) * part(2, j, c);
    }
  return linearDirectly(y, run.parameter("out_proj.weight"), run.parameter("out_proj.bias"), width);
}

test.each([
  [1, [2 ** -8]],
  [2, [2 ** -4, 2 ** -8]],
  [3, [2 ** -4, 2 ** -8, 2 ** -2]],
  [6, [2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8, 2 ** -1, 2 ** -3]],
])("linear biases of %i heads have the slopes %j", async (heads, slopes) => {
  const mixer = { kind: "attention", heads, position_bias: { kind: "alibi" } };
  const run = await runMixer(mixer, { batch: 1, length: 9, width: 6 });
  const size = 6 / heads;
  expect(slopes.length).toBe(heads);
  expectEach(
    run,
    attended(run, heads, 1 / Math.sqrt(size), (h, i, j) => -slopes[h]! * Math.abs(i - j)),
  );
});
