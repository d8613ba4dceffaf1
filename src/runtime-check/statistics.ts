// Quantiles that turn a predicted size of an error into a tolerance with a stated chance of a false alarm.

/** ln Gamma(x) for x > 0 (Lanczos 1964, the nine coefficients for g = 7), relative error below 1e-14. */
function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const z = x - 1;
  let sum = coefficients[0]!;
  for (let i = 1; i < coefficients.length; i++) sum += coefficients[i]! / (z + i);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** The regularised incomplete beta function I_x(a, b) by the continued fraction DLMF 8.17.22 (Lentz's method). */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on the near side of the mean; I_x(a, b) = 1 - I_(1-x)(b, a) leads there.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x) - Math.log(a),
  );
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / Math.max(tiny, 1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d || tiny);
    c = 1 + even / c || tiny;
    fraction *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d || tiny);
    c = 1 + odd / c || tiny;
    const change = c * d;
    fraction *= change;
    if (Math.abs(change - 1) < 1e-13) break;
  }
  return front * fraction;
}

/**
 * The f with P(F > f) = alpha for F the ratio of two mean squares of d1 and d2 independent normals (Fisher's F):
 * P(F > f) = I_z(d2/2, d1/2) with z = d2 / (d2 + d1 f).
 */
export function fisherQuantile(alpha: number, d1: number, d2: number): number {
  // P falls with f; bisection on ln f.
  let low = -40;
  let high = 80;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    const f = Math.exp(middle);
    if (incompleteBeta(d2 / (d2 + d1 * f), d2 / 2, d1 / 2) > alpha) low = middle;
    else high = middle;
  }
  return Math.exp(high);
}

/**
 * Bound on the mean square of k independent standard normals, exceeded with probability at most alpha:
 * 1 + 2 sqrt(x/k) + 2 x/k with x = ln(1/alpha) (Laurent and Massart 2000, lemma 1).
 */
export function meanSquareBound(alpha: number, k: number): number {
  const x = Math.log(1 / alpha);
  return 1 + 2 * Math.sqrt(x / k) + (2 * x) / k;
}

/** Bound on the largest of n standard normals in magnitude, exceeded with probability at most alpha: sqrt(2 ln(2n/alpha)). */
export function largestNormalBound(alpha: number, n: number): number {
  return Math.sqrt(2 * Math.log((2 * n) / alpha));
}
