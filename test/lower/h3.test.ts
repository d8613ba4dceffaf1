// H3 against its recurrence: a shift state, then a diagonal state per head and pair of channels, stepped position by
// position.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

test.each([
  [1, 4, 6],
  [2, 6, 9],
  [3, 6, 5],
])("heads of %i channels at width %i and length %i", async (size, width, length) => {
  const states = 3;
  const run = await runMixer(
    {
      kind: "long_conv",
      gating: {
        kind: "outer_product",
        head_dim: size,
        key_filter: { kind: "shift", span: "causal", states },
      },
      filter: { kind: "modal", span: "causal", states: 2 },
    },
    { batch: 2, length, width },
  );
  const read = (name: string) => run.parameter(name);
  const streams = linearDirectly(run.x, read("in_proj.weight"), read("in_proj.bias"), width);
  const heads = width / size;
  const [b, c] = [read("key_filter.input"), read("key_filter.residues")];
  const [real, imag, step] = ["poles.real", "poles.imag", "log_step"].map((name) =>
    read(`filters.0.${name}`),
  ) as [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>];
  const residues = read("filters.0.residues");
  const mixed = new Float64Array(2 * length * width);
  for (let batch = 0; batch < 2; batch++) {
    const shift = Array.from({ length: width }, () => new Float64Array(states));
    // State of head h, key channel a, value channel v, mode n, as (re, im).
    const state = new Map<string, [number, number]>();
    for (let t = 0; t < length; t++) {
      const at = (stream: number, channel: number) =>
        streams[(batch * length + t) * 3 * width + stream * width + channel]!;
      const key = Array.from({ length: width }, (_, ch) => {
        const line = shift[ch]!;
        for (let m = states - 1; m >= 0; m--)
          line[m] = (m > 0 ? line[m - 1]! : 0) + b[ch * states + m]! * at(1, ch);
        return line.reduce(
          (sum, value, m) => sum + c[ch * states + m]! * value,
          read("key_skip")[ch]! * at(1, ch),
        );
      });
      for (let h = 0; h < heads; h++)
        for (let a = 0; a < size; a++)
          for (let v = 0; v < size; v++) {
            const product = key[h * size + a]! * at(2, h * size + v);
            let sum = read("skip.0")[h]! * product;
            for (let n = 0; n < 2; n++) {
              // zoh: s <- e^(dA) s + (e^(dA) - 1)/A x; y = 2 Re(R s), A = -exp(real) + i imag.
              const d = Math.exp(step[h]!);
              const [re, im] = [-Math.exp(real[h * 2 + n]!), imag[h * 2 + n]!];
              const size1 = Math.exp(d * re);
              const [er, ei] = [size1 * Math.cos(d * im), size1 * Math.sin(d * im)];
              const norm = re * re + im * im;
              const [br, bi] = [((er - 1) * re + ei * im) / norm, (ei * re - (er - 1) * im) / norm];
              const name = `${h} ${a} ${v} ${n}`;
              const [sr, si] = state.get(name) ?? [0, 0];
              const next: [number, number] = [
                er * sr - ei * si + br * product,
                er * si + ei * sr + bi * product,
              ];
              state.set(name, next);
              const r = (h * 2 + n) * 2;
              sum += 2 * (residues[r]! * next[0] - residues[r + 1]! * next[1]);
            }
            mixed[(batch * length + t) * width + h * size + v]! += at(0, h * size + a) * sum;
          }
    }
  }
  expectEach(run, linearDirectly(mixed, read("out_proj.weight"), read("out_proj.bias"), width));
  expect(mixed.every(Number.isFinite)).toBe(true);
});
