// Attention without a softmax against its sums, one pair of positions at a time.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

const functions = {
  elu_plus_one: (x: number) => (x > 0 ? x + 1 : Math.exp(x)),
  relu: (x: number) => Math.max(x, 0),
  none: (x: number) => x,
};

interface Case {
  readonly features: keyof typeof functions;
  readonly mask: "full" | "causal";
  readonly decay: "none" | "retention";
  readonly normalize: "sum" | "none";
  readonly scale: number;
  readonly turned?: boolean;
}

test.each<Case>([
  { features: "elu_plus_one", mask: "full", decay: "none", normalize: "sum", scale: 1 },
  { features: "elu_plus_one", mask: "causal", decay: "none", normalize: "sum", scale: 0.5 },
  { features: "relu", mask: "full", decay: "none", normalize: "none", scale: 2 },
  { features: "none", mask: "causal", decay: "retention", normalize: "none", scale: 0.5, turned: true },
  { features: "relu", mask: "full", decay: "retention", normalize: "none", scale: 1 },
])("%o", async ({ turned = false, ...of }) => {
  const [length, width, heads] = [9, 8, 2];
  const size = width / heads;
  const run = await runMixer(
    {
      kind: "linear_attention",
      heads,
      ...of,
      head_norm: turned ? { kind: "rms", eps: 1e-5, affine: "none" } : { kind: "none" },
      rope: turned ? { kind: "rotary", base: 100 } : { kind: "none" },
    },
    { batch: 1, length, width },
  );
  const qkv = linearDirectly(run.x, run.parameter("qkv.weight"), run.parameter("qkv.bias"), width);
  const f = functions[of.features];
  /** Channel c of head h of the query (0), the key (1) or the value (2) at t. */
  const part = (which: number, t: number, h: number, c: number): number => {
    const at = (channel: number) => qkv[t * 3 * width + which * width + h * size + channel]!;
    if (which === 2) return at(c);
    if (!turned) return f(at(c));
    const half = size / 2;
    const angle = t * 100 ** ((-2 * (c % half)) / size);
    const turn = c < half ? -at(c + half) : at(c - half);
    return f(at(c) * Math.cos(angle) + turn * Math.sin(angle));
  };
  const y = new Float64Array(length * width);
  for (let h = 0; h < heads; h++)
    for (let i = 0; i < length; i++) {
      let total = 0;
      const row = new Float64Array(size);
      for (let j = 0; j < length; j++) {
        if (of.mask === "causal" && j > i) continue;
        let weight = 0;
        for (let c = 0; c < size; c++) weight += of.scale * part(0, i, h, c) * part(1, j, h, c);
        if (of.decay === "retention") weight *= (1 - 2 ** (-5 - h)) ** Math.abs(i - j);
        total += weight;
        for (let c = 0; c < size; c++) row[c]! += weight * part(2, j, h, c);
      }
      const shared = of.normalize === "sum" ? row.map((v) => v / (total + 1e-6)) : row;
      const rms = Math.sqrt(shared.reduce((sum, v) => sum + v * v, 0) / size + 1e-5);
      shared.forEach((v, c) => {
        y[i * width + h * size + c] = turned ? v / rms : v;
      });
    }
  expect(y.every(Number.isFinite)).toBe(true);
  expectEach(run, linearDirectly(y, run.parameter("out_proj.weight"), run.parameter("out_proj.bias"), width));
});
