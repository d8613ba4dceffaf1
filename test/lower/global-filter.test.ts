// A global filter on a grid against the definition: sums over all frequencies and positions.
import { test } from "vitest";
import { expectEach, runMixer } from "./mixer-alone.js";

test.each([
  [1, 7],
  [3, 5],
  [4, 4],
  [5, 1],
  [2, 6],
])("%i rows of %i columns", async (rows, columns) => {
  const [length, width] = [rows * columns, 2];
  const run = await runMixer({ kind: "global_filter", rows }, { batch: 2, length, width });
  const spectrum = run.parameter("spectrum");
  const bins = Math.floor(columns / 2) + 1;
  const expected = new Float64Array(run.x.length);
  for (let batch = 0; batch < 2; batch++)
    for (let c = 0; c < width; c++)
      for (let u = 0; u < rows; u++)
        for (let v = 0; v < bins; v++) {
          let [re, im] = [0, 0];
          const turn = (r: number, s: number): number => 2 * Math.PI * ((u * r) / rows + (v * s) / columns);
          for (let r = 0; r < rows; r++)
            for (let s = 0; s < columns; s++) {
              const value = run.x[(batch * length + r * columns + s) * width + c]!;
              re += value * Math.cos(turn(r, s));
              im -= value * Math.sin(turn(r, s));
            }
          const at = ((u * bins + v) * width + c) * 2;
          const [wr, wi] = [spectrum[at]!, spectrum[at + 1]!];
          const [zr, zi] = [re * wr - im * wi, re * wi + im * wr];
          // A real output: bins with a twin count twice, the real part of the others.
          const twice = v > 0 && 2 * v < columns ? 2 : 1;
          for (let r = 0; r < rows; r++)
            for (let s = 0; s < columns; s++)
              expected[(batch * length + r * columns + s) * width + c]! +=
                (twice * (zr * Math.cos(turn(r, s)) - zi * Math.sin(turn(r, s)))) / length;
        }
  expectEach(run, expected);
});
