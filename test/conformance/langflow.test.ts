// LangFlow cases of other sizes than the committed one, computed by definition: batches with a level per row, odd
// lengths, other heads and widths, learned schedule constants, other numbers of steps.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  drawWeights,
  exact,
  normals,
  type Rounding,
  type Rows,
  rowsOf,
  single,
  type Weights,
} from "./direct/arithmetic.js";
import { langflow, langflowEmbeddings, langflowSampler } from "./direct/transformers.js";
import { inBoth, verdict, writeCase } from "./direct/write-case.js";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "dlmc-direct-"));
});
afterAll(() => rmSync(place, { recursive: true }));

function scalar(value: number) {
  return { shape: [], data: Float64Array.of(Math.fround(value)) };
}

interface LangflowSizes {
  readonly id: string;
  readonly batch: number;
  readonly length: number;
  readonly width: number;
  readonly heads: number;
  readonly vocabulary: number;
  readonly blocks: number;
  readonly condition: number;
  readonly features: number;
  readonly steps: number;
  readonly loc: number;
  readonly scale: number;
}

function langflowWeights({
  width,
  vocabulary,
  blocks,
  condition,
  features,
  loc,
  scale,
}: LangflowSizes): Weights {
  const shapes: Record<string, number[]> = {
    "vocab_embed.embedding": [vocabulary, width],
    "sigma_map.mlp.0.weight": [condition, features],
    "sigma_map.mlp.0.bias": [condition],
    "sigma_map.mlp.2.weight": [condition, condition],
    "sigma_map.mlp.2.bias": [condition],
    "rotary_emb.inv_freq": [1],
    "output_layer.norm_final.weight": [width],
    "output_layer.linear.weight": [vocabulary, width],
    "output_layer.linear.bias": [vocabulary],
    "output_layer.adaLN_modulation.weight": [2 * width, condition],
    "output_layer.adaLN_modulation.bias": [2 * width],
    "self_cond_proj.weight": [width, 2 * width],
  };
  for (let i = 0; i < blocks; i++)
    Object.assign(shapes, {
      [`blocks.${i}.norm1.weight`]: [width],
      [`blocks.${i}.norm2.weight`]: [width],
      [`blocks.${i}.attn_qkv.weight`]: [3 * width, width],
      [`blocks.${i}.attn_out.weight`]: [width, width],
      [`blocks.${i}.mlp.0.weight`]: [3 * width, width],
      [`blocks.${i}.mlp.0.bias`]: [3 * width],
      [`blocks.${i}.mlp.2.weight`]: [width, 3 * width],
      [`blocks.${i}.mlp.2.bias`]: [width],
      [`blocks.${i}.adaLN_modulation.weight`]: [6 * width, condition],
      [`blocks.${i}.adaLN_modulation.bias`]: [6 * width],
    });
  const named = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [`backbone.${name}`, shape]),
  );
  return { ...drawWeights(8, named), "proposal.loc": scalar(loc), "proposal.scale": scalar(scale) };
}

it.each([
  {
    id: "batch-odd",
    batch: 3,
    length: 7,
    width: 12,
    heads: 3,
    vocabulary: 5,
    blocks: 3,
    condition: 5,
    features: 64,
    steps: 6,
    loc: 3.1,
    scale: 1.3,
  },
  {
    id: "one-position",
    batch: 1,
    length: 1,
    width: 4,
    heads: 1,
    vocabulary: 3,
    blocks: 1,
    condition: 2,
    features: 32,
    steps: 2,
    loc: 4.7,
    scale: 0.8,
  },
  {
    id: "many-steps",
    batch: 2,
    length: 5,
    width: 8,
    heads: 4,
    vocabulary: 17,
    blocks: 1,
    condition: 8,
    features: 256,
    steps: 19,
    loc: 5,
    scale: 0.6,
  },
])("LangFlow $id", async (sizes) => {
  const { id, batch, length, width, heads, vocabulary, steps } = sizes;
  const weights = langflowWeights(sizes);
  const draw = normals(21);
  const shape = [batch, length, width];
  const [z, previous, start, noise] = [0, 1, 2, 3].map(() => draw(batch * length * width)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const gammas = draw(batch, 3);
  const texts = Array.from({ length: batch }, (_, row) => row);
  const text = (data: Float64Array, row: number) => rowsOf(data, length, width, row);
  const zeros = new Float64Array(z.length);
  const logits = (given: Float64Array) => (round: Rounding) =>
    texts
      .flatMap((row) => langflow(round, weights, text(z, row), gammas[row]!, text(given, row), heads))
      .flat();
  // gamma(q) = loc - scale ln(-ln q), q from 1 - 1e-5 to 1e-5; ln q = log1p(q - 1) near 1.
  const [loc, scale] = [weights["proposal.loc"]!.data[0]!, weights["proposal.scale"]!.data[0]!];
  const grid = Array.from({ length: steps }, (_, i) => {
    const q = i === steps - 1 ? 1e-5 : 1 - 1e-5 + (i * (1e-5 - (1 - 1e-5))) / (steps - 1);
    return loc - scale * Math.log(-Math.log1p(q - 1));
  });
  const walks = (round: Rounding) =>
    texts.map((row) => langflowSampler(round, weights, text(start, row), grid, heads));
  const [wide, narrow] = [walks(exact), walks(single)];
  const stacked = (of: (walk: (typeof wide)[number]) => readonly Rows[], count: number) => {
    const list = (all: typeof wide) =>
      Array.from({ length: count }, (_, k) => all.map((walk) => of(walk)[k]!)).flat(3);
    return { shape: [count, ...shape], f64: list(wide), f32: list(narrow) };
  };
  const scores = [batch, length, vocabulary];
  const tokens = Float64Array.from({ length: batch * length }, (_, i) => (i * 7) % vocabulary);
  const clean = (round: Rounding) => {
    const table = langflowEmbeddings(round, weights);
    return Array.from(noise, (value, at) => {
      const row = Math.floor(at / (length * width));
      const e = table[tokens[Math.floor(at / width)]!]![at % width]!;
      const power = 1 / (1 + Math.exp(-gammas[row]!));
      return round(round(Math.sqrt(1 - power) * e) + round(Math.sqrt(power) * value));
    });
  };
  const last = wide.flatMap((walk) => walk.last);
  const directory = writeCase(place, {
    id,
    system: "LangFlow",
    args: { n_heads: heads, N: steps, gumbel_cutoff: 1e-5, gumbel_loc: 0, gumbel_scale: 1 },
    weights,
    given: {
      "in.z": { shape, data: z },
      "in.gamma": { shape: [batch], data: gammas },
      "in.x_self_cond": { shape, data: previous },
      "draw.z_init": { shape, data: start },
      "draw.q_noise": { shape, data: noise },
    },
    integers: {
      "in.tokens": { shape: [batch, length], data: tokens },
      "out.tokens": {
        shape: [batch, length],
        data: Float64Array.from(last, (row) => row.indexOf(Math.max(...row))),
      },
    },
    tables: { "traj.gamma": grid },
    results: {
      out: inBoth(scores, logits(previous)),
      "out.logits_sc_off": inBoth(scores, logits(zeros)),
      "out.q_sample": inBoth(shape, clean),
      "traj.z": stacked(({ states }) => states, steps),
      "traj.x0": stacked(({ predictions }) => predictions, steps - 1),
      "traj.logits_last": {
        shape: scores,
        f64: last.flat(),
        f32: narrow.flatMap((walk) => walk.last).flat(),
      },
    },
  });
  expect(await verdict(directory)).toBe("pass");
});
