// Square matrices of chances, row-major: product, exponential of rates, limit of powers. All float64.

/** a b of two n x n matrices; zeros of b cost nothing where its rows have few others. */
export function product(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const columns: number[] = [];
    for (let j = 0; j < n; j++) if (b[k * n + j] !== 0) columns.push(j);
    for (let i = 0; i < n; i++) {
      const factor = a[i * n + k]!;
      if (factor === 0) continue;
      for (const j of columns) out[i * n + j]! += factor * b[k * n + j]!;
    }
  }
  return out;
}

export function identity(n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) out[i * n + i] = 1;
  return out;
}

/**
 * e^(time R) for rates R, off-diagonal >= 0 and rows that sum to 0. With m the largest rate of leaving, P = I + R / m is a
 * matrix of chances and e^(h R) = sum_k e^(-hm) (hm)^k / k! P^k: positive terms only. h is time / 2^j with hm <= 1/2,
 * and j squarings follow.
 */
export function exponential(rates: Float64Array, time: number, n: number): Float64Array {
  let most = 0;
  for (let i = 0; i < n; i++) most = Math.max(most, -rates[i * n + i]!);
  if (time === 0 || most === 0) return identity(n);
  const squarings = Math.max(0, Math.ceil(Math.log2(2 * time * most)));
  const h = (time * most) / 2 ** squarings;
  const jump = identity(n).map((one, at) => one + rates[at]! / most);
  let [power, weight] = [identity(n), Math.exp(-h)];
  let sum: Float64Array = power.map((value) => weight * value);
  // (1/2)^k / k! is below float64's rounding from k = 13 on.
  for (let k = 1; k <= 16; k++) {
    power = product(power, jump, n);
    weight *= h / k;
    for (let at = 0; at < sum.length; at++) sum[at]! += weight * power[at]!;
  }
  for (let k = 0; k < squarings; k++) sum = product(sum, sum, n);
  return stochastic(sum, n);
}

/** Rows scaled to sum to one: what rounding left of them. */
function stochastic(matrix: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) {
    const row = matrix.subarray(i * n, (i + 1) * n);
    const sum = row.reduce((total, value) => total + value, 0);
    for (let j = 0; j < n; j++) row[j]! /= sum;
  }
  return matrix;
}

/** The law that a matrix of chances leads to from equal chances: the mean row of its powers, by squaring until it rests. */
export function limitLaw(matrix: Float64Array, n: number): Float64Array {
  const meanRow = (m: Float64Array): Float64Array =>
    Float64Array.from({ length: n }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += m[i * n + j]!;
      return sum / n;
    });
  let power = matrix;
  let law = meanRow(power);
  for (let k = 0; k < 64; k++) {
    power = stochastic(product(power, power, n), n);
    const next = meanRow(power);
    const moved = law.reduce((most, value, j) => Math.max(most, Math.abs(value - next[j]!)), 0);
    law = next;
    if (moved < 1e-14) break;
  }
  return law;
}
