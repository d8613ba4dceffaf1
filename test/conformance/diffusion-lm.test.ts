// Diffusion-LM networks of other sizes and options than the committed one, computed by definition: batches, odd
// lengths, other heads, both rounding heads, ddim and ddpm, other schedules and spacings.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  drawWeights,
  exact,
  normals,
  type Rounding,
  rowsOf,
  single,
  type Weights,
} from "./direct/arithmetic.js";
import { diffusionLm, headLogits } from "./direct/transformers.js";
import { inBoth, verdict, writeCase } from "./direct/write-case.js";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "dlmc-direct-"));
});
afterAll(() => rmSync(place, { recursive: true }));

function diffusionLmWeights(
  width: number,
  hidden: number,
  vocabulary: number,
  features: number,
  layers: number,
  rows: number,
): Weights {
  const shapes: Record<string, number[]> = {
    "word_embedding.weight": [vocabulary, width],
    "lm_head.bias": [vocabulary],
    "position_embeddings.weight": [rows, hidden],
  };
  const dense = (name: string, out: number, from: number) =>
    Object.assign(shapes, { [`${name}.weight`]: [out, from], [`${name}.bias`]: [out] });
  dense("time_embed.0", 4 * features, features);
  dense("time_embed.2", hidden, 4 * features);
  dense("input_up_proj.0", hidden, width);
  dense("input_up_proj.2", hidden, hidden);
  dense("output_down_proj.0", hidden, hidden);
  dense("output_down_proj.2", width, hidden);
  const norm = (name: string) =>
    Object.assign(shapes, { [`${name}.weight`]: [hidden], [`${name}.bias`]: [hidden] });
  norm("LayerNorm");
  for (let i = 0; i < layers; i++) {
    const at = `input_transformers.layer.${i}`;
    for (const name of ["query", "key", "value"]) dense(`${at}.attention.self.${name}`, hidden, hidden);
    dense(`${at}.attention.output.dense`, hidden, hidden);
    norm(`${at}.attention.output.LayerNorm`);
    dense(`${at}.intermediate.dense`, 3 * hidden, hidden);
    dense(`${at}.output.dense`, hidden, 3 * hidden);
    norm(`${at}.output.LayerNorm`);
  }
  const weights = drawWeights(9, shapes);
  return { ...weights, "lm_head.weight": weights["word_embedding.weight"]! };
}

it.each([
  {
    id: "nearest-ddim",
    batch: 3,
    length: 5,
    mode: 2,
    spacing: "ddim20",
    steps: 1000,
    schedule: "cosine",
    sampler: "ddim",
    eta: 0.5,
    clamp: false,
    rescale: false,
    activation: "gelu",
    heads: 3,
  },
  {
    id: "linear-ddpm",
    batch: 1,
    length: 7,
    mode: 1,
    spacing: "3,4",
    steps: 500,
    schedule: "linear",
    sampler: "ddpm",
    eta: 0,
    clamp: true,
    rescale: true,
    activation: "relu",
    heads: 1,
  },
  {
    id: "one-position-ddim",
    batch: 2,
    length: 1,
    mode: 2,
    spacing: "6",
    steps: 2000,
    schedule: "sqrt",
    sampler: "ddim",
    eta: 1,
    clamp: false,
    rescale: true,
    activation: "gelu",
    heads: 4,
  },
] as const)("Diffusion-LM $id", async (options) => {
  const { id, batch, length, mode, steps, schedule, heads, activation, clamp } = options;
  const [width, hidden, vocabulary] = [5, 12, 9];
  const weights = diffusionLmWeights(width, hidden, vocabulary, 10, 2, length + 3);
  const draw = normals(31);
  const shape = [batch, length, width];
  const size = batch * length * width;
  const [x, start] = [draw(size), draw(size)];
  const t = Float64Array.from({ length: batch }, (_, i) => 3.5 + 217 * i);
  const text = (data: ArrayLike<number>, row: number) => rowsOf(data, length, width, row);
  const texts = Array.from({ length: batch }, (_, row) => row);
  const network = (round: Rounding, state: ArrayLike<number>, level: (row: number) => number) =>
    texts
      .flatMap((row) => diffusionLm(round, weights, text(state, row), level(row), { heads, activation }))
      .flat();
  const head = (round: Rounding, state: ArrayLike<number>) =>
    texts.flatMap((row) => headLogits(round, weights, text(state, row), mode)).flat();
  const { indices, alphaBar } = respaced(schedule, steps, options.spacing);
  const noise = draw(indices.length * size);
  const sample = (round: Rounding) => {
    let state = Array.from(start);
    const [states, predictions]: [number[][], number[][]] = [[], []];
    for (let k = indices.length - 1; k >= 0; k--) {
      const level = indices[k]! * (options.rescale ? 1000 / steps : 1);
      let x0 = network(round, state, () => level);
      if (clamp) x0 = nearest(round, weights, x0, width);
      const draws = noise.subarray((indices.length - 1 - k) * size);
      const [now, before] = [alphaBar[k]!, k === 0 ? 1 : alphaBar[k - 1]!];
      state = state.map((value, at) =>
        options.sampler === "ddim"
          ? ddim(round, value, x0[at]!, k === 0 ? 0 : draws[at]!, now, before, options.eta)
          : ddpm(round, value, x0[at]!, k === 0 ? 0 : draws[at]!, now, before),
      );
      states.push(state);
      predictions.push(x0);
    }
    return { states, predictions, logits: head(round, state) };
  };
  const [wide, narrow] = [sample(exact), sample(single)];
  const tokens = Float64Array.from({ length: batch * length }, (_, i) => {
    const row = wide.logits.slice(i * vocabulary, (i + 1) * vocabulary);
    return row.indexOf(Math.max(...row));
  });
  const directory = writeCase(place, {
    id,
    system: "Diffusion-LM",
    args: {
      logits_mode: mode,
      config: { num_attention_heads: heads, hidden_act: activation, layer_norm_eps: 1e-12 },
      T: steps,
      schedule,
      spacing: options.spacing,
      sampler: options.sampler,
      eta: options.eta,
      clamp,
      rescale_timesteps: options.rescale,
    },
    weights,
    given: {
      "in.x": { shape, data: x },
      "in.t": { shape: [batch], data: t },
      "draw.x_init": { shape, data: start },
      "draw.noise": { shape: [indices.length, ...shape], data: noise },
    },
    integers: {
      "traj.timestep_map": { shape: [indices.length], data: Float64Array.from(indices) },
      "out.tokens": { shape: [batch, length], data: tokens },
    },
    results: {
      out: inBoth(shape, (round) => network(round, x, (row) => t[row]!)),
      "out.head_logits": inBoth([batch, length, vocabulary], (round) => head(round, x)),
      "traj.x": { shape: [indices.length, ...shape], f64: wide.states.flat(), f32: narrow.states.flat() },
      "traj.x0": {
        shape: [indices.length, ...shape],
        f64: wide.predictions.flat(),
        f32: narrow.predictions.flat(),
      },
      "traj.head_logits": { shape: [batch, length, vocabulary], f64: wide.logits, f32: narrow.logits },
    },
  });
  expect(await verdict(directory)).toBe("pass");
});

/** Python's round: halves go to the even neighbour. */
function halfEven(x: number): number {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
}

/** The visited indices, ascending, and alpha_bar there, from the conventions' words. */
function respaced(schedule: string, steps: number, spacing: string) {
  const f = (u: number) =>
    schedule === "cosine" ? Math.cos((((u + 0.008) / 1.008) * Math.PI) / 2) ** 2 : 1 - Math.sqrt(u + 1e-4);
  const scale = 1000 / steps;
  let product = 1;
  const table = Array.from({ length: steps }, (_, i) => {
    const beta =
      schedule === "linear"
        ? scale * 1e-4 + (i * (scale * 0.02 - scale * 1e-4)) / (steps - 1)
        : Math.min(1 - f((i + 1) / steps) / f(i / steps), 0.999);
    product *= 1 - beta;
    return product;
  });
  const stride = /^ddim(\d+)$/.exec(spacing);
  const indices: number[] = [];
  if (stride) for (let i = 0; i < steps; i += Math.ceil(steps / Number(stride[1]))) indices.push(i);
  else {
    const counts = spacing.split(",").map(Number);
    const section = steps / counts.length;
    counts.forEach((count, s) => {
      for (let k = 0; k < count; k++) indices.push(s * section + halfEven((k * (section - 1)) / (count - 1)));
    });
  }
  return { indices, alphaBar: indices.map((i) => table[i]!) };
}

function ddpm(round: Rounding, x: number, x0: number, noise: number, now: number, before: number): number {
  const beta = 1 - now / before;
  const mean = round(
    round(((beta * Math.sqrt(before)) / (1 - now)) * x0) +
      round((((1 - before) * Math.sqrt(1 - beta)) / (1 - now)) * x),
  );
  return round(mean + round(Math.sqrt((beta * (1 - before)) / (1 - now)) * noise));
}

function ddim(
  round: Rounding,
  x: number,
  x0: number,
  noise: number,
  now: number,
  before: number,
  eta: number,
): number {
  const eps = round(round(round(Math.sqrt(1 / now) * x) - x0) / Math.sqrt(1 / now - 1));
  const sigma = eta * Math.sqrt((1 - before) / (1 - now)) * Math.sqrt(1 - now / before);
  const mean = round(
    round(Math.sqrt(before) * x0) + round(Math.sqrt(Math.max(0, 1 - before - sigma ** 2)) * eps),
  );
  return round(mean + round(sigma * noise));
}

/** Every row of x replaced by the nearest row of the table. */
function nearest(round: Rounding, weights: Weights, x: readonly number[], width: number): number[] {
  const table = weights["word_embedding.weight"]!;
  const rows = rowsOf(x, x.length / width, width, 0);
  return headLogits(round, weights, rows, 2).flatMap((scores) => {
    const best = scores.indexOf(Math.max(...scores));
    return Array.from(table.data.slice(best * width, (best + 1) * width));
  });
}
