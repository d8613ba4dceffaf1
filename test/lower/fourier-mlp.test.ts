// A complex network on frequencies against its definition: transforms as sums, every bin and block in plain loops.
import { expect, test } from "vitest";
import { expectEach, runMixer } from "./mixer-alone.js";

interface Options {
  readonly length: number;
  readonly blocks: number;
  readonly layers: number;
  readonly spectrum: "half" | "full";
  readonly residual: boolean;
  readonly final: "none" | "silu" | "tanh";
  readonly kept?: number;
}

const functions = {
  none: (x: number) => x,
  silu: (x: number) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

test.each<Options>([
  { length: 7, blocks: 1, layers: 1, spectrum: "full", residual: false, final: "silu" },
  { length: 6, blocks: 1, layers: 2, spectrum: "full", residual: true, final: "tanh" },
  { length: 6, blocks: 2, layers: 3, spectrum: "half", residual: false, final: "silu" },
  { length: 9, blocks: 3, layers: 2, spectrum: "half", residual: true, final: "none", kept: 0.7 },
  { length: 1, blocks: 2, layers: 2, spectrum: "full", residual: true, final: "none" },
])("%o", async ({ length, blocks, layers, spectrum, residual, final, kept = 1 }) => {
  const [batch, width, expansion, sparsity] = [2, 6, 2, 0.03];
  const run = await runMixer(
    {
      kind: "afno",
      blocks,
      layers,
      expansion,
      sparsity,
      kept,
      spectrum,
      residual,
      activation: "silu",
      final_activation: final,
    },
    { batch, length, width },
  );
  const size = width / blocks;
  const half = Math.floor(length / 2) + 1;
  const bins = spectrum === "full" ? length : Math.floor(half * kept);
  const expected = new Float64Array(run.x.length);
  const turn = (k: number, t: number): number => (2 * Math.PI * k * t) / length;
  const shrink = (x: number): number => Math.sign(x) * Math.max(Math.abs(x) - sparsity, 0);
  for (let n = 0; n < batch; n++) {
    const at = (t: number, c: number): number => (n * length + t) * width + c;
    for (let k = 0; k < bins; k++)
      for (let block = 0; block < blocks; block++) {
        let z = Array.from({ length: size }, (_, j): [number, number] => {
          let [re, im] = [0, 0];
          for (let t = 0; t < length; t++) {
            re += run.x[at(t, block * size + j)]! * Math.cos(turn(k, t));
            im -= run.x[at(t, block * size + j)]! * Math.sin(turn(k, t));
          }
          return [re / Math.sqrt(length), im / Math.sqrt(length)];
        });
        for (let layer = 1; layer <= layers; layer++) {
          const outputs = layer === layers ? size : size * expansion;
          const [w, b] = [run.parameter(`w${layer}`), run.parameter(`b${layer}`)];
          const before = z;
          const weight = (part: number, i: number, o: number): number =>
            w[((part * blocks + block) * before.length + i) * outputs + o]!;
          const f = functions[layer === layers ? final : "silu"];
          z = Array.from({ length: outputs }, (_, o): [number, number] => {
            let re = b[block * outputs + o]!;
            let im = b[(blocks + block) * outputs + o]!;
            for (const [i, [xr, xi]] of before.entries()) {
              re += xr * weight(0, i, o) - xi * weight(1, i, o);
              im += xi * weight(0, i, o) + xr * weight(1, i, o);
            }
            return [f(re), f(im)];
          });
        }
        // Of a half spectrum, bins with a twin stand for both.
        const copies = spectrum === "half" && k > 0 && 2 * k < length ? 2 : 1;
        for (const [j, [re, im]] of z.entries())
          for (let t = 0; t < length; t++)
            expected[at(t, block * size + j)]! +=
              (copies * (shrink(re) * Math.cos(turn(k, t)) - shrink(im) * Math.sin(turn(k, t)))) /
              Math.sqrt(length);
      }
  }
  expectEach(
    run,
    expected.map((value, i) => value + (residual ? run.x[i]! : 0)),
  );
  expect(expected.some((value) => Math.abs(value) > 1e-2)).toBe(true);
});

type Complex = [re: number, im: number];

/** sum_j e^(-sign 2 pi i k j / n) z_j / sqrt(n). */
function orthonormal(z: readonly Complex[], sign: 1 | -1): Complex[] {
  const n = z.length;
  return z.map((_, k) => {
    let [re, im] = [0, 0];
    z.forEach(([a, b], j) => {
      const angle = (-sign * 2 * Math.PI * k * j) / n;
      re += a * Math.cos(angle) - b * Math.sin(angle);
      im += a * Math.sin(angle) + b * Math.cos(angle);
    });
    return [re / Math.sqrt(n), im / Math.sqrt(n)];
  });
}

test.each([
  { length: 7, blocks: 3 },
  { length: 6, blocks: 2 },
])("a transform over positions and over the blocks, %o", async ({ length, blocks }) => {
  const [width, sparsity] = [6, 0.02];
  const size = width / blocks;
  const mixer = {
    kind: "afno",
    blocks,
    sparsity,
    spectrum: "full",
    over: "positions_and_blocks",
    residual: false,
  };
  const run = await runMixer(mixer, { batch: 1, length, width });
  // z[j][t][block]: one plane for every channel of a block.
  type Planes = Complex[][][];
  const axes = (planes: Planes, sign: 1 | -1): Planes =>
    planes.map((plane) => {
      const byBlock = plane.map((row) => orthonormal(row, sign));
      const columns = Array.from({ length: blocks }, (_, block) =>
        orthonormal(
          byBlock.map((row) => row[block]!),
          sign,
        ),
      );
      return plane.map((_, t) => columns.map((column) => column[t]!));
    });
  const shrink = (x: number): number => Math.sign(x) * Math.max(Math.abs(x) - sparsity, 0);
  const layer = (planes: Planes, k: number, f: (x: number) => number): Planes => {
    const [w, b] = [run.parameter(`w${k}`), run.parameter(`b${k}`)];
    return planes.map((plane, o) =>
      plane.map((row, t) =>
        row.map((_, block): Complex => {
          let [re, im] = [b[block * size + o]!, b[(blocks + block) * size + o]!];
          for (let i = 0; i < size; i++) {
            const at = (part: number) => w[((part * blocks + block) * size + i) * size + o]!;
            const [x, y] = planes[i]![t]![block]!;
            re += at(0) * x - at(1) * y;
            im += at(0) * y + at(1) * x;
          }
          return [f(re), f(im)];
        }),
      ),
    );
  };
  const input: Planes = Array.from({ length: size }, (_, j) =>
    Array.from({ length }, (_, t) =>
      Array.from({ length: blocks }, (_, block): Complex => [run.x[t * width + block * size + j]!, 0]),
    ),
  );
  const hidden = layer(axes(input, 1), 1, (x) => Math.max(x, 0));
  const output = axes(layer(hidden, 2, shrink), -1);
  expectEach(
    run,
    Float64Array.from({ length: length * width }, (_, i) => {
      const [t, c] = [Math.floor(i / width), i % width];
      return output[c % size]![t]![Math.floor(c / size)]![0];
    }),
  );
});
