// Choosing a token: softmax with temperature, top-k and nucleus restriction, the categorical draw, argmax. On every
// tie the lowest index wins.

/** What may be drawn: logits over temperature, then the k most probable, then the nucleus of mass p. */
export interface Choice {
  /** 1 by default. */
  readonly temperature?: number;
  /** 0 (default): all. */
  readonly top_k?: number;
  /** 1 (default): all. */
  readonly top_p?: number;
  /** Whose probability top_p counts: that of all tokens (default) or of the top k alone. */
  readonly nucleus_of?: "all" | "top_k";
  /** Whether the token that crosses top_p may be drawn (default); the best one always may. */
  readonly nucleus_edge?: "in" | "out";
}

/** softmax(logits / temperature) into `out`; the token `without` gets probability 0. */
export function softmaxInto(
  logits: ArrayLike<number>,
  temperature: number,
  out: Float64Array,
  without: number | undefined = undefined,
): Float64Array {
  let most = Number.NEGATIVE_INFINITY;
  for (let v = 0; v < out.length; v++) if (v !== without && logits[v]! > most) most = logits[v]!;
  let sum = 0;
  for (let v = 0; v < out.length; v++) {
    out[v] = v === without ? 0 : Math.exp((logits[v]! - most) / temperature);
    sum += out[v]!;
  }
  for (let v = 0; v < out.length; v++) out[v]! /= sum;
  return out;
}

/** Indices from the most probable on, the lower index first on a tie. */
export function ranked(p: ArrayLike<number>): number[] {
  return Array.from({ length: p.length }, (_, v) => v).sort((v, w) => p[w]! - p[v]! || v - w);
}

/** Probabilities outside of top-k and of the nucleus set to 0 in place, the rest scaled to sum to one. */
export function restricted(
  p: Float64Array,
  { top_k = 0, top_p = 1, nucleus_of, nucleus_edge }: Choice,
): Float64Array {
  if ((top_k <= 0 || top_k >= p.length) && top_p >= 1) return p;
  const order = ranked(p);
  let kept = top_k > 0 ? Math.min(top_k, p.length) : p.length;
  const whole = nucleus_of === "top_k" ? order.slice(0, kept).reduce((sum, v) => sum + p[v]!, 0) : 1;
  let mass = 0;
  // A token is in the nucleus when those before it have not reached p yet; without its edge, when p is not passed with it.
  for (let i = 0; i < kept && top_p < 1; i++) {
    const next = mass + p[order[i]!]!;
    const outside = nucleus_edge === "out" ? i > 0 && next > top_p * whole : mass >= top_p * whole;
    if (outside) kept = i;
    else mass = next;
  }
  for (const v of order.slice(kept)) p[v] = 0;
  let sum = 0;
  for (const value of p) sum += value;
  for (let v = 0; v < p.length; v++) p[v]! /= sum;
  return p;
}

/**
 * Draw from weights >= 0 that need not sum to one: argmax_v w_v / E_v with exponential E_v = -ln u_v, the race of
 * rates w_v (the Gumbel rule without its rounding, arXiv 2409.02908). Negative weights count as 0.
 */
export function drawFrom(weights: Float64Array, uniform: (category: number) => number): number {
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (let v = 0; v < weights.length; v++) {
    if (!(weights[v]! > 0)) continue;
    const pace = Math.log(weights[v]!) - Math.log(-Math.log(uniform(v)));
    if (pace > most) {
      most = pace;
      best = v;
    }
  }
  return best;
}

/** The index of the largest number, the lowest on a tie. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let v = 1; v < values.length; v++) if (values[v]! > values[best]!) best = v;
  return best;
}
