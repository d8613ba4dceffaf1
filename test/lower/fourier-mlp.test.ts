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
