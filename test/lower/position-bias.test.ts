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

// T5's own buckets of the distances 0, 1, .. with 16 a direction and 128 as the largest.
const starts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91];
const t5 = (r: number): number => starts.filter((start) => start <= r).length - 1;

test.each([
  { directions: "both", of: (d: number) => (d > 0 ? 16 : 0) + t5(Math.abs(d)), buckets: 32, length: 137 },
  { directions: "past", of: (d: number) => (d > 0 ? 0 : t5(-d)), buckets: 16, length: 95 },
  {
    directions: "both",
    of: (d: number) => (d > 0 ? 2 : 0) + Math.min(1, Math.abs(d)),
    buckets: 4,
    length: 5,
  },
])("$buckets buckets of distances, $directions", async ({ directions, of, buckets, length }) => {
  const bias = { kind: "bucketed", buckets, directions };
  const mixer = { kind: "attention", heads: 2, scale: 1, position_bias: bias };
  const run = await runMixer(mixer, { batch: 1, length, width: 4 });
  const table = run.parameter("position_bias.table");
  expect(table.length).toBe(2 * buckets);
  expectEach(
    run,
    attended(run, 2, 1, (h, i, j) => table[2 * of(j - i) + h]!),
  );
});

test.each([
  { given: {}, last: 8 },
  { given: { max_distance: 3 }, last: 3 },
  { given: { max_distance: 0 }, last: 0 },
])("a number for every distance up to $last", async ({ given, last }) => {
  const mixer = { kind: "attention", heads: 3, position_bias: { kind: "distance", ...given } };
  const run = await runMixer(mixer, { batch: 1, length: 9, width: 6 });
  const table = run.parameter("position_bias.table");
  expect(table.length).toBe(3 * (2 * last + 1));
  expectEach(
    run,
    attended(run, 3, 1 / Math.sqrt(2), (h, i, j) => {
      const distance = Math.sign(j - i) * Math.min(Math.abs(j - i), last);
      return table[3 * (distance + last) + h]!;
    }),
  );
});
