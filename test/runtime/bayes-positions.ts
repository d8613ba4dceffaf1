// A network whose answer is known, at levels of each position: all weights but the embeddings are zero, so the logits are
// those of the prior skip, alpha / sigma^2 <x, e_v>, the exact posterior of tokens of one norm that are drawn evenly.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parameters } from "../../src/api/inspect.js";
import { normalNoise } from "../../src/diffusion/normal.js";
import { deriveKey } from "../../src/diffusion/rng.js";

export const [length, dim, vocabulary, columns] = [5, 24, 11, 7];
export const bars = Array.from({ length: 6 }, (_, i) =>
  // Later positions lose their signal later; at the noisiest step enough is left of all to tell the text.
  Array.from({ length: columns }, (_, p) => Math.fround(0.97 - 0.55 * ((i + 0.5) / 6) ** (1 + p / 5))),
);
const drawn = normalNoise(deriveKey(1), 0, vocabulary, 1, dim);

/** Rows of norm sqrt(dim), as the description normalises them. */
export const embeddings = Array.from({ length: vocabulary }, (_, v) => {
  const row = drawn.subarray(v * dim, (v + 1) * dim);
  const norm = Math.hypot(...row);
  return Array.from(row, (value) => (value * Math.sqrt(dim)) / norm);
});

/** Writes the description with `change` and its weights into a directory that `remove` deletes. */
export function bayesModel(change: object): { readonly model: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-positions-"));
  const model = join(directory, "model.json");
  const description = {
    version: 1,
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: length },
    embedding: { dim, normalization: "unit_sqrt_d" },
    prediction_type: { x0_from: "softmax_embedding", prior_skip: "alpha_over_sigma2" },
    blocks: { mixer: { kind: "short_conv" }, ffn: { kind: "none" } },
    weights: { file: "w.safetensors" },
    ...change,
  };
  writeFileSync(model, JSON.stringify(description));
  const tensors = [
    ...parameters({ model }).map(({ name, shape }) => {
      const size = shape.reduce((n, extent) => n * extent, 1);
      return { name, shape, values: name === "embedding.table" ? drawn : new Float32Array(size) };
    }),
    ...(JSON.stringify(change).includes("alpha_cumprod")
      ? [{ name: "alpha_cumprod", shape: [6, columns], values: Float32Array.from(bars.flat()) }]
      : []),
  ];
  let at = 0;
  const header = tensors.map(({ name, shape, values }) => {
    at += values.byteLength;
    return [name, { dtype: "F32", shape, data_offsets: [at - values.byteLength, at] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  const data = tensors.map(({ values }) => Buffer.from(values.buffer));
  writeFileSync(join(directory, "w.safetensors"), Buffer.concat([size, text, ...data]));
  return { model, remove: () => rmSync(directory, { recursive: true }) };
}

const listed = {
  family: "table",
  alpha_bars: { from: "alpha_cumprod" },
  positions: columns,
  discretization: { kind: "given_beta", num_train_steps: 6 },
};
const cosine = { family: "cosine", offset: 0, discretization: { kind: "continuous" } };
const ofCosine = (t: number): number => Math.cos((Math.PI / 2) * t) ** 2;
const times = [0.55, 0.4, 0.25, 0.1];

/** Descriptions, and alpha_bar of each position at each call of the network. */
export const cases = [
  {
    name: "a column of each position, the step told",
    change: {
      noise_schedule: listed,
      timesteps: { kind: "all" },
      time_conditioning: { injection: "additive" },
      sampler: { kind: "ddpm" },
    },
    levels: bars.toReversed(),
  },
  {
    name: "a column of each position, the noise told",
    change: {
      noise_schedule: listed,
      timesteps: { kind: "table", values: [5, 3, 0] },
      time_conditioning: { injection: "ada_ln", input: "log_sigma" },
      sampler: { kind: "ddpm" },
    },
    levels: [5, 3, 0].map((i) => bars[i]!),
  },
  {
    name: "positions one behind the other",
    change: {
      noise_schedule: cosine,
      timesteps: {
        kind: "linspace",
        from: 0.55,
        to: 0.1,
        num_steps: 4,
        per_position: { kind: "lag", lag: 2 },
      },
      time_conditioning: { injection: "ada_ln", input: "t", additive: [{ out: dim }] },
      sampler: { kind: "ddpm" },
    },
    levels: Array.from({ length: 4 + 2 * (length - 1) }, (_, k) =>
      Array.from({ length }, (_, p) => ofCosine(times[Math.min(3, Math.max(0, k - 2 * p))]!)),
    ),
  },
] as const;

/**
 * Ancestral sampling written out (Ho et al. 2020, eq. 6-7), each position between its own levels: states after every
 * update, [length][dim], and the tokens of the last call.
 */
export function ancestral(
  levels: readonly (readonly number[])[],
  start: (p: number, c: number) => number,
  noise: (draw: number, p: number, c: number) => number,
): { readonly states: number[][][]; readonly tokens: number[] } {
  let x = Array.from({ length }, (_, p) => Array.from({ length: dim }, (_, c) => start(p, c)));
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, c) => s + v * b[c]!, 0);
  const logits = (k: number, p: number): number[] => {
    const bar = levels[k]![p]!;
    return embeddings.map((e) => (Math.sqrt(bar) / (1 - bar)) * dot(x[p]!, e));
  };
  const states: number[][][] = [];
  for (let k = 0; k + 1 < levels.length; k++) {
    x = x.map((row, p) => {
      const [now, to] = [levels[k]![p]!, levels[k + 1]![p]!];
      if (now === to) return row;
      const l = logits(k, p);
      const most = Math.max(...l);
      const weights = l.map((value) => Math.exp(value - most));
      const sum = weights.reduce((s, w) => s + w, 0);
      const beta = 1 - now / to;
      const sd = Math.sqrt((beta * (1 - to)) / (1 - now));
      return row.map((value, c) => {
        const x0 = weights.reduce((s, w, v) => s + (w / sum) * embeddings[v]![c]!, 0);
        const mean =
          ((Math.sqrt(to) * beta) / (1 - now)) * x0 + ((Math.sqrt(now / to) * (1 - to)) / (1 - now)) * value;
        return mean + sd * noise(k + 1, p, c);
      });
    });
    states.push(x);
  }
  const tokens = x.map((_, p) => {
    const l = logits(levels.length - 1, p);
    return l.indexOf(Math.max(...l));
  });
  return { states, tokens };
}
