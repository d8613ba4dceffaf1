// Spectral mixers against their definitions: sums over all positions and channels, written out.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

/** A mixer alone on the float64 reference. */
function run(mixer: object, length: number, width: number, x: Float64Array): Float64Array {
  const { module } = loaded({ part: "mixer", width, seq_len: length, mixer }, 1);
  return evaluate(module, "mixer", [tensor("f32", [1, length, width], x)])[0]!.data;
}

test.each([
  [1, 1],
  [1, 6],
  [5, 4],
  [8, 3],
  [13, 7],
])("FNet over %i positions and %i channels is the real part of the transform over both", (length, width) => {
  const x = Float64Array.from({ length: length * width }, (_, i) => Math.sin(3 * i + 1) * (1 + (i % 5)));
  const y = run({ kind: "fnet" }, length, width, x);
  for (let k = 0; k < length; k++)
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (let t = 0; t < length; t++)
        for (let d = 0; d < width; d++)
          sum += x[t * width + d]! * Math.cos(2 * Math.PI * ((k * t) / length + (c * d) / width));
      expect(y[k * width + c]).toBeCloseTo(sum, 10);
    }
});

/** y[k, c] = sum over positions t and channels d of x[t, d] kernel(k, t, c, d). */
function transformed(
  x: Float64Array,
  [length, width]: readonly [number, number],
  kernel: (k: number, t: number, c: number, d: number) => number,
): number[] {
  return Array.from({ length: length * width }, (_, at) => {
    const [k, c] = [Math.floor(at / width), at % width];
    let sum = 0;
    for (let t = 0; t < length; t++)
      for (let d = 0; d < width; d++) sum += x[t * width + d]! * kernel(k, t, c, d);
    return sum;
  });
}

test.each([
  [1, 1],
  [5, 4],
  [8, 3],
])("Hartley and cosine transforms over %i positions and %i channels, and over positions alone", (length, width) => {
  const x = Float64Array.from({ length: length * width }, (_, i) => Math.sin(3 * i + 1) * (1 + (i % 5)));
  const turn = (k: number, t: number, n: number): number => (2 * Math.PI * k * t) / n;
  const cosine = (k: number, t: number, n: number): number =>
    Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * (2 * t + 1) * k) / (2 * n));
  const same = (c: number, d: number): number => (c === d ? 1 : 0);
  // cos a + sin a is the real part of e^(-i a) less its imaginary part.
  const cas = (angle: number): number => Math.cos(angle) + Math.sin(angle);
  type Kernel = (k: number, t: number, c: number, d: number) => number;
  const cases: [mixer: object, kernel: Kernel][] = [
    [{ transform: "hartley" }, (k, t, c, d) => cas(turn(k, t, length) + turn(c, d, width))],
    [{ transform: "hartley", axes: "positions" }, (k, t, c, d) => cas(turn(k, t, length)) * same(c, d)],
    [{ axes: "positions" }, (k, t, c, d) => Math.cos(turn(k, t, length)) * same(c, d)],
    [{ transform: "dct" }, (k, t, c, d) => cosine(k, t, length) * cosine(c, d, width)],
    [{ transform: "dct", axes: "positions" }, (k, t, c, d) => cosine(k, t, length) * same(c, d)],
  ];
  for (const [mixer, kernel] of cases) {
    const y = run({ kind: "fnet", ...mixer }, length, width, x);
    transformed(x, [length, width], kernel).forEach((expected, i) => {
      expect(y[i]).toBeCloseTo(expected, 10);
    });
  }
});

test("an AFNO that keeps no mode passes its input on", () => {
  const x = Float64Array.from({ length: 3 * 4 }, (_, i) => i - 5);
  expect([...run({ kind: "afno", blocks: 2, kept: 0.01 }, 3, 4, x)]).toEqual([...x]);
});
