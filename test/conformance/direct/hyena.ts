// Hyena and M2-BERT mixers by their definition: sums over lags, O(L^2).

import { dot, geluErf, layerNorm, linear, type Rounding, type Rows, type Weights } from "./arithmetic.js";

export interface FilterOptions {
  /** Factor inside the sine beside the trained frequency. */
  readonly modulus?: number;
  readonly shift?: number;
}

/** k[t][c] of rows t = 0 .. length-1: network of pos_emb.z times the window. */
export function filterTaps(
  round: Rounding,
  weights: Weights,
  prefix: string,
  network: string,
  length: number,
  { modulus = 1, shift = 0 }: FilterOptions = {},
): Rows {
  const z = weights[`${prefix}.pos_emb.z`]!;
  const times = weights[`${prefix}.pos_emb.t`]!.data;
  const deltas = weights[`${prefix}.modulation.deltas`]!.data;
  const frequency = weights[`${prefix}.implicit_filter.1.freq`]!.data;
  const size = z.shape[2]!;
  return Array.from({ length }, (_, t) => {
    let h = Array.from(z.data.slice(t * size, (t + 1) * size));
    for (let k = 0; weights[`${prefix}.${network}.${k}.weight`] !== undefined; k += 2) {
      h = linear(round, weights, `${prefix}.${network}.${k}`, h);
      const last = weights[`${prefix}.${network}.${k + 2}.weight`] === undefined;
      if (!last) h = h.map((x, i) => round(Math.sin(round(round(modulus * frequency[i]!) * x))));
    }
    return h.map((x, c) =>
      round(x * round(round(Math.exp(round(-times[t]! * Math.abs(deltas[c]!)))) + shift)),
    );
  });
}

/** s[t] = w0 p[t-2] + w1 p[t-1] + w2 p[t] + b, per channel. */
function shortConv(round: Rounding, weights: Weights, name: string, p: Rows): Rows {
  const taps = weights[`${name}.weight`]!;
  const n = taps.shape[2]!;
  return p.map((_, t) =>
    p[0]!.map((_, c) => {
      let sum = weights[`${name}.bias`]!.data[c]!;
      for (let k = 0; k < n; k++)
        if (t - (n - 1) + k >= 0) sum = round(sum + round(taps.data[c * n + k]! * p[t - (n - 1) + k]![c]!));
      return sum;
    }),
  );
}

/** y[i] = sum_j K[i - j] x[j] + bias x[i]; `lag(n, c)` is K. */
function longConv(
  round: Rounding,
  x: Rows,
  lag: (n: number, c: number) => number,
  bias: (c: number) => number,
): Rows {
  return x.map((row, i) =>
    row.map((value, c) => {
      const taps = x.map((_, j) => lag(i - j, c));
      const column = x.map((other) => other[c]!);
      return round(dot(round, taps, column) + round(bias(c) * value));
    }),
  );
}

const times = (round: Rounding, a: Rows, b: Rows): Rows =>
  a.map((row, t) => row.map((value, c) => round(value * b[t]![c]!)));
const plus = (round: Rounding, a: Rows, b: Rows): Rows =>
  a.map((row, t) => row.map((value, c) => round(value + b[t]![c]!)));
const split = (x: Rows, parts: number): Rows[] => {
  const width = x[0]!.length / parts;
  return Array.from({ length: parts }, (_, p) => x.map((row) => row.slice(p * width, (p + 1) * width)));
};

/** The operator on one text [positions][channels]. */
export function hyenaOperator(
  round: Rounding,
  weights: Weights,
  u: Rows,
  order: number,
  options: FilterOptions = {},
): Rows {
  const width = u[0]!.length;
  const projected = u.map((row) => linear(round, weights, "in_proj", row));
  const streams = split(shortConv(round, weights, "short_filter", projected), order + 1);
  const taps = filterTaps(round, weights, "filter_fn", "implicit_filter", u.length, options);
  const bias = weights["filter_fn.bias"]!.data;
  let v = streams[order]!;
  for (let o = 0; o < order - 1; o++)
    v = longConv(
      round,
      times(round, v, streams[order - 1 - o]!),
      (lag, c) => (lag >= 0 ? taps[lag]![o * width + c]! : 0),
      (c) => bias[o * width + c]!,
    );
  return times(round, v, streams[0]!).map((row) => linear(round, weights, "out_proj", row));
}

export interface M2Options extends FilterOptions {
  readonly bidirectional: boolean;
  readonly residual: boolean;
  readonly prefix?: string;
}

/** The M2-BERT mixer on one text. */
export function m2Mixer(round: Rounding, weights: Weights, input: Rows, options: M2Options): Rows {
  const at = options.prefix ?? "";
  const normed = weights[`${at}layernorm.weight`] !== undefined;
  const u = normed ? input.map((row) => layerNorm(round, weights, `${at}layernorm`, row, 1e-5)) : input;
  const projected = u.map((row) => linear(round, weights, `${at}in_linear`, row));
  const [x1, x2, v] = split(shortConv(round, weights, `${at}short_filter`, projected), 3) as [
    Rows,
    Rows,
    Rows,
  ];
  const convolve = (x: Rows, filter: string): Rows => {
    const taps = (network: string) =>
      filterTaps(round, weights, `${at}${filter}`, network, u.length, options);
    const forward = taps("implicit_filter");
    const reverse = options.bidirectional ? taps("implicit_filter_rev") : undefined;
    return longConv(
      round,
      x,
      (lag, c) => (lag >= 0 ? forward[lag]![c]! : (reverse?.[-lag - 1]?.[c] ?? 0)),
      (c) => weights[`${at}${filter}.bias`]!.data[c]!,
    );
  };
  let y = times(round, convolve(times(round, v, x1), "filter_fn"), x2);
  if (options.residual) y = plus(round, y, convolve(u, "filter_fn2"));
  return y.map((row) => linear(round, weights, `${at}out_linear`, row));
}

/** Dense, or block-diagonal with a weight [blocks, out / blocks, in / blocks], widths rounded up. */
function structured(round: Rounding, weights: Weights, name: string, x: number[], out: number): number[] {
  const weight = weights[`${name}.weight`]!;
  if (weight.shape.length === 2) return linear(round, weights, name, x);
  const [, q, p] = weight.shape as [number, number, number];
  const bias = weights[`${name}.bias`]?.data;
  return Array.from({ length: out }, (_, o) => {
    const [k, r] = [Math.floor(o / q), o % q];
    let sum = 0;
    for (let i = 0; i < p; i++)
      sum = round(sum + round(weight.data[(k * q + r) * p + i]! * (x[k * p + i] ?? 0)));
    return bias === undefined ? sum : round(sum + bias[o]!);
  });
}

export interface LayerOptions extends M2Options {
  readonly gated: boolean;
  readonly hidden: number;
  readonly eps: number;
}

/** One layer: h = mixer(x), then norm(h + MLP(h)); with the outputs of the mixer and of both matrices. */
export function m2Layer(round: Rounding, weights: Weights, x: Rows, options: LayerOptions) {
  const { hidden, gated, eps } = options;
  const mixed = m2Mixer(round, weights, x, { ...options, prefix: "attention." });
  const up = mixed.map((h) => structured(round, weights, "mlp.gated_layers", h, gated ? 2 * hidden : hidden));
  const down = up.map((row) => {
    const active = Array.from({ length: hidden }, (_, i) => {
      const gate = round(geluErf(row[i]!));
      return gated ? round(gate * row[hidden + i]!) : gate;
    });
    return structured(round, weights, "mlp.wo", active, x[0]!.length);
  });
  const out = plus(round, mixed, down).map((sum) => layerNorm(round, weights, "mlp.layernorm", sum, eps));
  return { out, mixed, up, down };
}
