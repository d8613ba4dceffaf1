// Discrete Fourier transforms of any length in float64: what the reference evaluator and the compile-time
// spectra use. Stockham's self-sorting form for small prime factors, Bluestein's chirp for large ones.

/** Direct butterflies cost r^2, so a prime factor above this sends the whole length to Bluestein. */
const largestRadix = 31;

interface Plan {
  readonly length: number;
  readonly radices: readonly number[];
  /** exp(-2 pi i j / length), interleaved. */
  readonly roots: Float64Array;
  readonly chirp?: Chirp;
}

interface Chirp {
  /** exp(-pi i k^2 / length), interleaved. */
  readonly weights: Float64Array;
  /** Transform of the conjugate chirp, already divided by its padded length. */
  readonly spectrum: Float64Array;
  readonly padded: number;
}

const plans = new Map<number, Plan>();

/**
 * X[k] = sum_n x[n] exp(-2 pi i k n / N) for k = 0..N-1. `x` is interleaved (re, im), 2N numbers; so is the
 * result, which is a new array. Relative error stays near 1e-15 log2 N.
 */
export function fft(x: Float64Array): Float64Array {
  const plan = planOf(x.length / 2);
  return plan.chirp === undefined ? stockham(x, plan) : bluestein(x, plan.chirp);
}

/** The inverse of `fft`, 1/N included. */
export function inverseFft(x: Float64Array): Float64Array {
  // With swapped parts, exp(-i a) acts as exp(+i a): ifft(x) = swap(fft(swap(x))) / N.
  const result = swapParts(fft(swapParts(x)));
  const scale = 2 / x.length;
  for (let i = 0; i < result.length; i++) result[i]! *= scale;
  return result;
}

function swapParts(x: Float64Array): Float64Array {
  const result = new Float64Array(x.length);
  for (let i = 0; i < x.length; i += 2) {
    result[i] = x[i + 1]!;
    result[i + 1] = x[i]!;
  }
  return result;
}

/** exp(-2 pi i j / period) for j = 0..period-1, interleaved. */
function rootsOfUnity(period: number): Float64Array {
  const roots = new Float64Array(2 * period);
  for (let j = 0; j < period; j++) {
    const angle = (2 * Math.PI * j) / period;
    roots[2 * j] = Math.cos(angle);
    roots[2 * j + 1] = -Math.sin(angle);
  }
  return roots;
}

function planOf(length: number): Plan {
  const known = plans.get(length);
  if (known !== undefined) return known;
  const radices = radicesOf(length);
  const plan: Plan = radices.some((r) => r > largestRadix)
    ? { length, radices, roots: new Float64Array(0), chirp: chirpOf(length) }
    : { length, radices, roots: rootsOfUnity(length) };
  plans.set(length, plan);
  return plan;
}

/** Prime factors, pairs of twos joined to fours. */
function radicesOf(length: number): number[] {
  const radices: number[] = [];
  let rest = length;
  for (let r = 4; rest > 1; r = r === 4 ? 2 : r === 2 ? 3 : r + 2) {
    if (r > 4 && r * r > rest) r = rest;
    while (rest % r === 0) {
      radices.push(r);
      rest /= r;
    }
  }
  return radices;
}

/**
 * One pass per radix r: with n points left and stride s,
 * y[q + s (r p + k)] = w^(p k) sum_j x[q + s (p + (n/r) j)] exp(-2 pi i j k / r), w = exp(-2 pi i / n).
 */
function stockham(x: Float64Array, { length, radices, roots }: Plan): Float64Array {
  let source = Float64Array.from(x);
  let target = new Float64Array(x.length);
  let points = length;
  let stride = 1;
  for (const radix of radices) {
    const step = points / radix;
    const rootStep = length / radix;
    for (let p = 0; p < step; p++) {
      for (let k = 0; k < radix; k++) {
        const turn = (p * k * stride) % length;
        const turnRe = roots[2 * turn]!;
        const turnIm = roots[2 * turn + 1]!;
        for (let q = 0; q < stride; q++) {
          let re = 0;
          let im = 0;
          for (let j = 0; j < radix; j++) {
            const root = 2 * (((j * k) % radix) * rootStep);
            const at = 2 * (q + stride * (p + step * j));
            re += source[at]! * roots[root]! - source[at + 1]! * roots[root + 1]!;
            im += source[at]! * roots[root + 1]! + source[at + 1]! * roots[root]!;
          }
          const to = 2 * (q + stride * (radix * p + k));
          target[to] = re * turnRe - im * turnIm;
          target[to + 1] = re * turnIm + im * turnRe;
        }
      }
    }
    [source, target] = [target, source];
    points = step;
    stride *= radix;
  }
  return source;
}

/** k n = (k^2 + n^2 - (k - n)^2) / 2 turns the transform into a convolution with a chirp (Bluestein 1970). */
function bluestein(x: Float64Array, { weights, spectrum, padded }: Chirp): Float64Array {
  const line = new Float64Array(2 * padded);
  multiplyInto(line, x, weights);
  const product = fft(line);
  multiplyInto(product, product, spectrum);
  const convolved = swapParts(fft(swapParts(product)));
  const result = new Float64Array(x.length);
  multiplyInto(result, convolved.subarray(0, x.length), weights);
  return result;
}

function chirpOf(length: number): Chirp {
  const weights = new Float64Array(2 * length);
  for (let k = 0; k < length; k++) {
    const angle = (Math.PI * ((k * k) % (2 * length))) / length;
    weights[2 * k] = Math.cos(angle);
    weights[2 * k + 1] = -Math.sin(angle);
  }
  let padded = 1;
  while (padded < 2 * length - 1) padded *= 2;
  const kernel = new Float64Array(2 * padded);
  for (let k = 0; k < length; k++) {
    for (const at of [k, (padded - k) % padded]) {
      kernel[2 * at] = weights[2 * k]! / padded;
      kernel[2 * at + 1] = -weights[2 * k + 1]! / padded;
    }
  }
  return { weights, spectrum: fft(kernel), padded };
}

/** target[i] = a[i] b[i] as complex numbers, for as many as `a` has. */
function multiplyInto(target: Float64Array, a: Float64Array, b: Float64Array): void {
  for (let i = 0; i < a.length; i += 2) {
    const re = a[i]! * b[i]! - a[i + 1]! * b[i + 1]!;
    const im = a[i]! * b[i + 1]! + a[i + 1]! * b[i]!;
    target[i] = re;
    target[i + 1] = im;
  }
}
