// Networks written out position by position and channel by channel, from the golden cases' conventions in words and
// without anything of src. Every operation goes through `round`: the identity for float64, Math.fround for what a
// float32 run may be off by.

export type Rounding = (x: number) => number;
/** [positions][channels]. */
export type Rows = number[][];

export const exact: Rounding = (x) => x;
export const single: Rounding = Math.fround;

export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
export type Weights = Record<string, Weight>;

/** Numbers that float32 holds, normally distributed; the same for the same seed. */
export function normals(seed: number): (count: number, scale?: number, mean?: number) => Float64Array {
  let state = seed >>> 0;
  const uniform = (): number => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return (count, scale = 1, mean = 0) =>
    Float64Array.from({ length: count }, () =>
      Math.fround(mean + scale * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())),
    );
}

/** Draws weights by name and shape. */
export function drawWeights(seed: number, shapes: Readonly<Record<string, readonly number[]>>): Weights {
  const draw = normals(seed);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const count = shape.reduce((product, extent) => product * extent, 1);
      const norm = /norm/i.test(name) && name.endsWith("weight");
      const scale = norm ? 0.1 : shape.length > 1 ? 1 / Math.sqrt(shape.at(-1)!) : 0.3;
      return [name, { shape, data: draw(count, scale, norm ? 1 : 0) }];
    }),
  );
}

export function dot(round: Rounding, a: ArrayLike<number>, b: ArrayLike<number>, at = 0): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum = round(sum + round(a[i]! * b[at + i]!));
  return sum;
}

/** y = W x + b for one position. */
export function linear(round: Rounding, weights: Weights, name: string, x: readonly number[]): number[] {
  const weight = weights[`${name}.weight`]!;
  const bias = weights[`${name}.bias`]?.data;
  return Array.from({ length: weight.shape[0]! }, (_, o) => {
    const y = dot(round, x, weight.data, o * x.length);
    return bias === undefined ? y : round(y + bias[o]!);
  });
}

/** (x - mean) / sqrt(variance + eps) weight + bias. */
export function layerNorm(
  round: Rounding,
  weights: Weights,
  name: string,
  x: readonly number[],
  eps: number,
): number[] {
  const mean = round(x.reduce((sum, value) => round(sum + value), 0) / x.length);
  const variance = round(x.reduce((sum, value) => round(sum + round((value - mean) ** 2)), 0) / x.length);
  const scale = round(1 / Math.sqrt(round(variance + eps)));
  const [weight, bias] = [weights[`${name}.weight`]!.data, weights[`${name}.bias`]?.data];
  return x.map((value, c) => round(round(round(value - mean) * scale) * weight[c]! + (bias?.[c] ?? 0)));
}

export function softmax(round: Rounding, x: readonly number[]): number[] {
  const most = Math.max(...x);
  const powers = x.map((value) => round(Math.exp(round(value - most))));
  const sum = powers.reduce((all, value) => round(all + value), 0);
  return powers.map((value) => round(value / sum));
}

/** softmax(q k^T / sqrt(channels)) v for each head; q, k, v [positions][heads * channels]. */
export function attention(round: Rounding, q: Rows, k: Rows, v: Rows, heads: number): Rows {
  const size = q[0]!.length / heads;
  return q.map((_, i) =>
    Array.from({ length: heads }, (_, h) => {
      const part = (row: readonly number[]) => row.slice(h * size, (h + 1) * size);
      const scores = k.map((row) => round(dot(round, part(q[i]!), part(row)) / Math.sqrt(size)));
      const shares = softmax(round, scores);
      return Array.from({ length: size }, (_, c) =>
        dot(
          round,
          shares,
          v.map((row) => row[h * size + c]!),
        ),
      );
    }).flat(),
  );
}

export const silu = (x: number): number => x / (1 + Math.exp(-x));
export const geluTanh = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** x Phi(x), the error function by its power series, or by continued fraction where that converges better. */
export function geluErf(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

function erf(x: number): number {
  const size = Math.abs(x);
  if (size < 2.5) {
    let [term, sum] = [size, size];
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= -(size * size) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * sum * 2) / Math.sqrt(Math.PI);
  }
  // erfc(x) = exp(-x^2) / sqrt(pi) * 1 / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ..))))
  let fraction = size;
  for (let n = 120; n >= 1; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / fraction);
}

/** [cos(t f), sin(t f)], f_i = exp(-ln(10000) i / half). */
export function timeFeatures(round: Rounding, t: number, size: number): number[] {
  const half = size / 2;
  const angles = Array.from({ length: half }, (_, i) =>
    round(t * round(Math.exp((-Math.log(10000) * i) / half))),
  );
  return [...angles.map((angle) => round(Math.cos(angle))), ...angles.map((angle) => round(Math.sin(angle)))];
}

/** A tensor [batch, positions, channels] as rows, and back. */
export function rowsOf(data: ArrayLike<number>, length: number, width: number, row: number): Rows {
  return Array.from({ length }, (_, t) =>
    Array.from({ length: width }, (_, c) => data[(row * length + t) * width + c]!),
  );
}
