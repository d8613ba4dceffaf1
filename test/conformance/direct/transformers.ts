// LangFlow's and Diffusion-LM's networks on one text, from the golden cases' conventions in words.

import {
  attention,
  dot,
  geluErf,
  geluTanh,
  layerNorm,
  linear,
  type Rounding,
  type Rows,
  silu,
  softmax,
  timeFeatures,
  type Weights,
} from "./arithmetic.js";

const plus = (round: Rounding, a: readonly number[], b: readonly number[]): number[] =>
  a.map((x, i) => round(x + b[i]!));
const chunk = (x: readonly number[], count: number): number[][] => {
  const width = x.length / count;
  return Array.from({ length: count }, (_, i) => x.slice(i * width, (i + 1) * width));
};

/** Rows of the table divided by their norm, times the square root of the width. */
export function langflowEmbeddings(round: Rounding, weights: Weights): Rows {
  const { shape, data } = weights["backbone.vocab_embed.embedding"]!;
  const [count, width] = shape as [number, number];
  return Array.from({ length: count }, (_, v) => {
    const row = Array.from(data.slice(v * width, (v + 1) * width));
    const norm = round(Math.sqrt(dot(round, row, row)));
    return row.map((x) => round(round(x / Math.max(norm, 1e-12)) * Math.sqrt(width)));
  });
}

/** Half-rotate over the whole head. */
function rotate(round: Rounding, x: Rows, heads: number, base: number): Rows {
  const size = x[0]!.length / heads;
  const half = size / 2;
  return x.map((row, position) =>
    row.map((_, at) => {
      const c = at % size;
      const start = at - c;
      const i = c % half;
      const angle = position * base ** ((-2 * i) / size);
      const [first, second] = [row[start + i]!, row[start + i + half]!];
      const [cos, sin] = [round(Math.cos(angle)), round(Math.sin(angle))];
      return c < half
        ? round(round(first * cos) - round(second * sin))
        : round(round(second * cos) + round(first * sin));
    }),
  );
}

/** Logits [positions][vocabulary]. */
export function langflow(
  round: Rounding,
  weights: Weights,
  z: Rows,
  gamma: number,
  previous: Rows,
  heads: number,
): Rows {
  const embeddings = langflowEmbeddings(round, weights);
  const size = weights["backbone.sigma_map.mlp.0.weight"]!.shape[1]!;
  const first = linear(round, weights, "backbone.sigma_map.mlp.0", timeFeatures(round, gamma, size));
  const time = linear(
    round,
    weights,
    "backbone.sigma_map.mlp.2",
    first.map((x) => round(silu(x))),
  );
  const condition = time.map((x) => round(silu(x)));
  const modulate = (x: readonly number[], shift: readonly number[], scale: readonly number[]): number[] =>
    x.map((value, c) => round(round(value * round(1 + scale[c]!)) + shift[c]!));
  let h = z.map((row, t) =>
    plus(round, row, linear(round, weights, "backbone.self_cond_proj", [...row, ...previous[t]!])),
  );
  for (let i = 0; weights[`backbone.blocks.${i}.norm1.weight`] !== undefined; i++) {
    const at = `backbone.blocks.${i}`;
    const [shift1, scale1, gate1, shift2, scale2, gate2] = chunk(
      linear(round, weights, `${at}.adaLN_modulation`, condition),
      6,
    ) as [number[], number[], number[], number[], number[], number[]];
    const gated = (x: readonly number[], gate: readonly number[]) =>
      x.map((value, c) => round(value * gate[c]!));
    const qkv = h.map((row) =>
      chunk(
        linear(
          round,
          weights,
          `${at}.attn_qkv`,
          modulate(layerNorm(round, weights, `${at}.norm1`, row, 1e-5), shift1, scale1),
        ),
        3,
      ),
    );
    const [q, k, v] = [0, 1, 2].map((part) => qkv.map((row) => row[part]!)) as [Rows, Rows, Rows];
    const mixed = attention(round, rotate(round, q, heads, 10000), rotate(round, k, heads, 10000), v, heads);
    h = h.map((row, t) =>
      plus(round, row, gated(linear(round, weights, `${at}.attn_out`, mixed[t]!), gate1)),
    );
    h = h.map((row) => {
      const normed = modulate(layerNorm(round, weights, `${at}.norm2`, row, 1e-5), shift2, scale2);
      const up = linear(round, weights, `${at}.mlp.0`, normed).map((x) => round(geluTanh(x)));
      return plus(round, row, gated(linear(round, weights, `${at}.mlp.2`, up), gate2));
    });
  }
  const out = "backbone.output_layer";
  const [shift, scale] = chunk(linear(round, weights, `${out}.adaLN_modulation`, condition), 2) as [
    number[],
    number[],
  ];
  // alpha / sigma^2 with alpha^2 = sigmoid(-gamma).
  const prior = round(Math.sqrt(1 / (1 + Math.exp(gamma))) * (1 + Math.exp(-gamma)));
  return h.map((row, t) => {
    const own = linear(
      round,
      weights,
      `${out}.linear`,
      modulate(layerNorm(round, weights, `${out}.norm_final`, row, 1e-5), shift, scale),
    );
    return own.map((value, token) => round(value + round(prior * dot(round, z[t]!, embeddings[token]!))));
  });
}

/** softmax(logits) E. */
export function langflowPrediction(round: Rounding, weights: Weights, logits: Rows): Rows {
  const embeddings = langflowEmbeddings(round, weights);
  return logits.map((row) => {
    const shares = softmax(round, row);
    return embeddings[0]!.map((_, c) =>
      dot(
        round,
        shares,
        embeddings.map((e) => e[c]!),
      ),
    );
  });
}

/** The sampler: states, predictions, logits of the last call. */
export function langflowSampler(
  round: Rounding,
  weights: Weights,
  start: Rows,
  gammas: readonly number[],
  heads: number,
): { readonly states: Rows[]; readonly predictions: Rows[]; readonly first: Rows; readonly last: Rows } {
  let z = start;
  let previous = start.map((row) => row.map(() => 0));
  const [states, predictions, calls]: [Rows[], Rows[], Rows[]] = [[z], [], []];
  gammas.forEach((gamma, i) => {
    const logits = langflow(round, weights, z, gamma, previous, heads);
    calls.push(logits);
    const to = gammas[i + 1];
    if (to === undefined) return;
    const x0 = langflowPrediction(round, weights, logits);
    // cur = z alpha_to / alpha_from, end = alpha_to x0, weight = exp((gamma_to - gamma_from) / 2).
    const alpha = (g: number) => Math.sqrt(1 / (1 + Math.exp(g)));
    const weight = Math.exp((to - gamma) / 2);
    z = z.map((row, t) =>
      row.map((value, c) => {
        const end = round(alpha(to) * x0[t]![c]!);
        return round(end + round(weight * round(round((value * alpha(to)) / alpha(gamma)) - end)));
      }),
    );
    previous = x0;
    states.push(z);
    predictions.push(x0);
  });
  return { states, predictions, first: calls[0]!, last: calls.at(-1)! };
}

/** Diffusion-LM: predicted x0 [positions][d]. */
export function diffusionLm(
  round: Rounding,
  weights: Weights,
  x: Rows,
  t: number,
  { heads, activation }: { readonly heads: number; readonly activation: "gelu" | "relu" },
): Rows {
  const eps = 1e-12;
  const tanh = (row: readonly number[]) => row.map((value) => round(Math.tanh(value)));
  const two = (name: string, row: readonly number[]) =>
    linear(round, weights, `${name}.2`, tanh(linear(round, weights, `${name}.0`, row)));
  const size = weights["time_embed.0.weight"]!.shape[1]!;
  const hidden = linear(round, weights, "time_embed.0", timeFeatures(round, t, size)).map((v) =>
    round(silu(v)),
  );
  const time = linear(round, weights, "time_embed.2", hidden);
  const positions = weights["position_embeddings.weight"]!;
  const width = positions.shape[1]!;
  let h = x.map((row, i) => {
    const place = Array.from(positions.data.slice(i * width, (i + 1) * width));
    const sum = plus(round, plus(round, two("input_up_proj", row), place), time);
    return layerNorm(round, weights, "LayerNorm", sum, eps);
  });
  for (let i = 0; weights[`input_transformers.layer.${i}.output.dense.weight`] !== undefined; i++) {
    const at = `input_transformers.layer.${i}`;
    const project = (name: string) =>
      h.map((row) => linear(round, weights, `${at}.attention.self.${name}`, row));
    const mixed = attention(round, project("query"), project("key"), project("value"), heads);
    h = h.map((row, p) => {
      const sum = plus(round, row, linear(round, weights, `${at}.attention.output.dense`, mixed[p]!));
      const y = layerNorm(round, weights, `${at}.attention.output.LayerNorm`, sum, eps);
      const up = linear(round, weights, `${at}.intermediate.dense`, y).map((value) =>
        round(activation === "gelu" ? geluErf(value) : Math.max(0, value)),
      );
      const out = plus(round, y, linear(round, weights, `${at}.output.dense`, up));
      return layerNorm(round, weights, `${at}.output.LayerNorm`, out, eps);
    });
  }
  return h.map((row) => two("output_down_proj", row));
}

/** The rounding head in both modes. */
export function headLogits(round: Rounding, weights: Weights, x: Rows, mode: number): Rows {
  const { shape, data } = weights["word_embedding.weight"]!;
  const width = shape[1]!;
  const bias = weights["lm_head.bias"]!.data;
  return x.map((row) =>
    Array.from({ length: shape[0]! }, (_, v) => {
      const e = Array.from(data.slice(v * width, (v + 1) * width));
      const inner = dot(round, row, e);
      if (mode === 1) return round(inner + bias[v]!);
      const squared = round(round(dot(round, e, e) + dot(round, row, row)) - round(2 * inner));
      return -round(Math.sqrt(Math.max(0, squared)));
    }),
  );
}
