// Noise that moves tokens by a matrix (Austin et al. 2021, D3PM, appendix A.2). n tokens, row v: where v goes in a step.
//   rates      Q = e^(d R), d a step of the total noise -ln alpha_bar; R_ij >= 0 given, R_ii = -sum of the row
//   nearest    rates with R = (G + G^T) / 2k, G_ij = 1 where j is one of the k nearest of i by their embeddings  (A.2.4)
//   band       Q_t = I + beta_t R,  R_ij = 1/n for 0 < |i - j| <= width                                          (A.2.5)
//   gaussian   Q_t ij = e^(-4 (i-j)^2 / ((n-1)^2 beta_t)) / sum_(m = 1-n .. n-1) e^(-4 m^2 / ((n-1)^2 beta_t))     (A.2.3)
// Diagonals make rows sum to one. The last two are products over trained steps. All visited levels are known when a plan
// is made, so it holds their matrices: q(x_t | x_0) of each, and q(x_t | x_s) of each and the next cleaner one.

import { fail } from "../../support/diagnostic.js";
import type { GridPoint } from "../grid.js";
import { totalNoise } from "../noise-level.js";
import type { ResolvedSchedule } from "../resolve.js";
import { exponential, identity, limitLaw, product } from "./square-matrix.js";
import type { NoiseMaps } from "./token-process.js";

/** `state_space.transition` of a description; tensors row by row. */
export type TransitionDescription =
  | { readonly kind: "rates"; readonly rates?: readonly (number | readonly number[])[] }
  | {
      readonly kind: "nearest";
      readonly neighbours: number;
      readonly embeddings?: readonly (number | readonly number[])[];
    }
  | { readonly kind: "band"; readonly width: number }
  | { readonly kind: "gaussian" };

/** The matrices of a grid, n x n row by row; place k is that of the k-th visited level, the noisiest first. */
interface Matrices {
  /** q(x_t | x_0). */
  readonly marginals: readonly Float64Array[];
  /** q(x_t | x_s), s the next level; the last has none. */
  readonly transitions: readonly Float64Array[];
  /** The law that noise leads to. */
  readonly limit: Float64Array;
}

/** What noise by matrices does. Throws what `matricesOf` throws. */
export function matrixMaps(...given: Parameters<typeof matricesOf>): {
  readonly limit: Float64Array;
  readonly maps: NoiseMaps;
} {
  const { marginals, transitions, limit } = matricesOf(...given);
  const column = (matrix: Float64Array, x: number, out: Float64Array): Float64Array => {
    for (let v = 0; v < out.length; v++) out[v] = matrix[v * out.length + x]!;
    return out;
  };
  return {
    limit,
    maps: {
      likelihoods: ({ visit }, x, out) => column(marginals[visit!]!, x, out),
      noised({ visit }, w, out) {
        const n = out.length;
        out.fill(0);
        for (let u = 0; u < n; u++)
          for (let v = 0; v < n && w[u] !== 0; v++) out[v]! += w[u]! * marginals[visit!]![u * n + v]!;
        return out;
      },
      transitions: ({ visit }, _, x, out) => column(transitions[visit!]!, x, out),
    },
  };
}

/**
 * The matrices of a grid. Throws `schedule/needs-steps` for band and gaussian without trained steps, `model/rates` for
 * rates that are negative.
 */
function matricesOf(
  transition: TransitionDescription,
  n: number,
  grid: readonly GridPoint[],
  schedule: ResolvedSchedule,
): Matrices {
  if (transition.kind === "rates" || transition.kind === "nearest") {
    const rates = transition.kind === "rates" ? givenRates(transition.rates, n) : nearestRates(transition, n);
    // Infinite noise is what the limit is for.
    const times = grid.map(({ level }) => Math.min(totalNoise(level), 1e4));
    return withLimit(
      times.map((s) => exponential(rates, s, n)),
      times.slice(0, -1).map((s, k) => exponential(rates, s - times[k + 1]!, n)),
      exponential(rates, 1e4, n),
    );
  }
  if (schedule.kind === "continuous")
    return fail("schedule/needs-steps", `${transition.kind} noise is a product over trained steps`, {
      pointer: "/noise_schedule",
      help: "give the noise schedule a discretization",
    });
  const step = transition.kind === "band" ? bandStep(transition.width, n) : gaussianStep(n);
  const through = (first: number, last: number): Float64Array => {
    let all = identity(n);
    for (let i = first; i <= last; i++) all = product(all, step(schedule.betas[i]!), n);
    return all;
  };
  const indices = grid.map(({ index }) => index!);
  const transitions = indices.slice(0, -1).map((index, k) => through(indices[k + 1]! + 1, index));
  const marginals = [through(0, indices.at(-1)!)];
  for (const moved of [...transitions].reverse()) marginals.unshift(product(marginals[0]!, moved, n));
  return withLimit(marginals, transitions, through(0, schedule.steps - 1));
}

function withLimit(
  marginals: readonly Float64Array[],
  transitions: readonly Float64Array[],
  noisy: Float64Array,
): Matrices {
  return { marginals, transitions, limit: limitLaw(noisy, Math.sqrt(noisy.length)) };
}

/** Diagonals such that rows sum to `sum`. */
function closed(matrix: Float64Array, n: number, sum: number): Float64Array {
  for (let i = 0; i < n; i++) {
    let others = 0;
    for (let j = 0; j < n; j++) if (j !== i) others += matrix[i * n + j]!;
    matrix[i * n + i] = sum - others;
  }
  return matrix;
}

/** Rates as given; equal ones where they would come with weights that are synthetic. */
function givenRates(rates: readonly (number | readonly number[])[] | undefined, n: number): Float64Array {
  const flat = rates === undefined ? new Array<number>(n * n).fill(1 / n) : rates.flat();
  const off = Float64Array.from(flat, (value, at) => (at % (n + 1) === 0 ? 0 : value));
  if (flat.length !== n * n || off.some((value) => !(value >= 0)))
    fail("model/rates", `rates are ${n} rows of ${n} numbers, none negative but on the diagonal`, {
      pointer: "/state_space/transition/rates",
      help: "row i says how fast token i becomes each other token; the diagonal is not read",
    });
  return closed(off, n, 0);
}

/** Rates to the nearest neighbours; tokens on a line where the embeddings would come with weights that are synthetic. */
function nearestRates(
  { neighbours: k, embeddings }: Extract<TransitionDescription, { kind: "nearest" }>,
  n: number,
): Float64Array {
  const flat = embeddings === undefined ? Array.from({ length: n }, (_, i) => i) : embeddings.flat();
  const width = flat.length / n;
  const distance = (i: number, j: number): number => {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += (flat[i * width + c]! - flat[j * width + c]!) ** 2;
    return sum;
  };
  const rates = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const near = Array.from({ length: n }, (_, j) => [j, distance(i, j)] as const)
      .filter(([j]) => j !== i)
      .sort(([a, d], [b, e]) => d - e || a - b)
      .slice(0, k);
    for (const [j] of near) {
      rates[i * n + j]! += 1 / (2 * k);
      rates[j * n + i]! += 1 / (2 * k);
    }
  }
  return closed(rates, n, 0);
}

function bandStep(width: number, n: number): (beta: number) => Float64Array {
  return (beta) => {
    const step = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = Math.max(0, i - width); j <= Math.min(n - 1, i + width); j++) step[i * n + j] = beta / n;
    return closed(step, n, 1);
  };
}

function gaussianStep(n: number): (beta: number) => Float64Array {
  return (beta) => {
    const weight = (d: number): number => Math.exp((-4 * d * d) / ((n - 1) ** 2 * beta));
    let sum = 1;
    for (let d = 1; d < n; d++) sum += 2 * weight(d);
    const step = Float64Array.from({ length: n * n }, (_, at) => weight(Math.floor(at / n) - (at % n)) / sum);
    return closed(step, n, 1);
  };
}
