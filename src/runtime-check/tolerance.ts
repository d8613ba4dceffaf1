// From a predicted error to an allowed one. Let alpha be the chance of a false alarm granted to one test.
//
// Isolated: the op's error model e[i] is known for every element, and errors are e[i] times something with the
// variance of a uniform in [-1, 1], 1/3, but a normal's tails (sums of many roundings).
//   largest |error[i]| / e[i]  <=  sqrt(2 ln(2n/alpha)) sqrt(1/3)                       (union bound over n elements)
//   rms of error[i] / e[i]     <=  sqrt(max(1, (1 + 2 sqrt(x/k) + 2 x/k) / 3))           (x = ln(1/alpha))
// k counts the lines along the longest axis, since elements of one line may share an error (a mean, a norm). The
// maximum with 1: a rounding that is the same everywhere has no variance to average away.
//
// Predicted from R perturbed runs: honest errors and the R deviations are draws of one distribution, so the ratio of
// their mean squares has Fisher's distribution with (k, R k) degrees of freedom.
//   rms      <=  predicted rms * sqrt(max(3, F(alpha; k, R k)))
//   largest  <=  predicted largest * sqrt(F(alpha; 1, R))
// The second is the worst case, one element that decides every run; more elements only narrow the ratio.
//
// Both hold whatever the size or depth of the graph, because size and depth are in the predicted error.

import { fisherQuantile, largestNormalBound, meanSquareBound } from "./statistics.js";

/** Allowed multiples of the predicted error. */
export interface Factors {
  readonly largest: number;
  readonly rms: number;
}

/** Factors on an error normalised by its model, element by element. */
export function isolatedFactors(alpha: number, elements: number, lines: number): Factors {
  return {
    largest: largestNormalBound(alpha, elements) / Math.sqrt(3),
    rms: Math.sqrt(Math.max(1, meanSquareBound(alpha, lines) / 3)),
  };
}

/** Beyond this many degrees of freedom the quantile stands still. */
const most = 1000;
const known = new Map<string, number>();

/** Factors on what R runs predict for a value worth `degrees` independent numbers. */
export function predictedFactors(alpha: number, degrees: number, runs: number): Factors {
  const quantile = (d1: number, d2: number): number => {
    const key = `${alpha} ${d1} ${d2}`;
    const value = known.get(key) ?? fisherQuantile(alpha, d1, d2);
    known.set(key, value);
    return value;
  };
  // Whole degrees, rounded down: conservative, and few quantiles are computed.
  const k = Math.min(most, Math.max(1, Math.floor(degrees)));
  return {
    largest: Math.sqrt(quantile(1, runs)),
    rms: Math.sqrt(Math.max(3, quantile(k, runs * k))),
  };
}

/** Lines along the longest axis of a shape: how many errors a value has at least. */
export function linesOf(shape: readonly number[]): number {
  const longest = shape.reduce((m, n) => Math.max(m, n), 1);
  return shape.reduce((p, n) => p * n, 1) / longest;
}
