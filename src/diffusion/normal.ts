// Standard normals from uniforms by Box and Muller (1958), with logarithm, sine and cosine made of +, -, *, /
// and sqrt only. Math.log and Math.cos may differ in the last bit between JavaScript engines; these
// operations may not, so a seed gives the same float32 noise in every engine and language.

import { fail } from "../support/diagnostic.js";
import { deriveKey, type Key, squares32, uniform } from "./rng.js";

/** ln of (2r + 1) 2^-33, the uniform of 32 random bits: relative error below 1e-15. */
function logUniform(bits: number): number {
  // (2r + 1) 2^-33 = m 2^e with m in [sqrt(1/2), sqrt(2)); halving and doubling are exact.
  let m = uniform(bits);
  let e = 0;
  while (m < Math.SQRT1_2) {
    m *= 2;
    e -= 1;
  }
  // ln m = 2 (f + f^3/3 + f^5/5 + ...) with f = (m - 1)/(m + 1), |f| < 0.172: twelve terms reach 2^-60.
  const f = (m - 1) / (m + 1);
  const square = f * f;
  let series = 0;
  for (let k = 23; k >= 1; k -= 2) series = series * square + 1 / k;
  return e * Math.LN2 + 2 * f * series;
}

/** cos(2 pi u) and sin(2 pi u) for u in (0, 1): quarter turns taken off exactly, then Taylor on |x| <= pi/4. */
function turn(u: number): readonly [cosine: number, sine: number] {
  const quarter = Math.floor(4 * u + 0.5);
  const x = 2 * Math.PI * (u - quarter / 4);
  const square = x * x;
  let cosine = 1;
  let sine = 1;
  for (let k = 18; k >= 2; k -= 2) {
    cosine = 1 - (square / (k * (k - 1))) * cosine;
    sine = 1 - (square / (k * (k + 1))) * sine;
  }
  sine *= x;
  switch (quarter % 4) {
    case 0:
      return [cosine, sine];
    case 1:
      return [-sine, cosine];
    case 2:
      return [-cosine, -sine];
    default:
      return [sine, -cosine];
  }
}

/**
 * Noise of one draw, [rows, length, channels] row-major, N(0, 1), rounded once to float32.
 * Element e = position * channels + channel of a row uses the pair p = e with its last bit cleared:
 *   u1 = uniform(squares32(key, hi, p)), u2 = uniform(squares32(key, hi, p + 1)), hi = row * 2^16 + draw,
 *   normal(e) = sqrt(-2 ln u1) * (e even ? cos : sin)(2 pi u2).
 * `draw` and `rows` must be below 2^16, `length * channels` below 2^32.
 */
export function normalNoise(
  key: Key,
  draw: number,
  rows: number,
  length: number,
  channels: number,
): Float32Array {
  const size = length * channels;
  if (draw >= 0x10000 || rows > 0x10000 || size > 0xffffffff)
    fail(
      "noise/counter-range",
      `draw ${draw} of ${rows} rows of ${length} x ${channels} numbers does not fit the counter`,
      { help: "at most 65535 steps, 65536 batch rows and 2^32 - 1 numbers a row" },
    );
  const noise = new Float32Array(rows * size);
  for (let row = 0; row < rows; row++) {
    const hi = (row * 0x10000 + draw) >>> 0;
    for (let e = 0; e < size; e += 2) {
      const radius = Math.sqrt(-2 * logUniform(squares32(key, hi, e)));
      const [cosine, sine] = turn(uniform(squares32(key, hi, e + 1)));
      noise[row * size + e] = radius * cosine;
      if (e + 1 < size) noise[row * size + e + 1] = radius * sine;
    }
  }
  return noise;
}

/** Stream of a seed whose draws noise given positions: draw k at call k of the network, 0 the first. */
export const fixedStream = 1;

/** The noise of every draw of one seed: `seededNoise(seed, rows, length, channels)(draw)`. */
export function seededNoise(
  seed: number | bigint,
  rows: number,
  length: number,
  channels: number,
  stream = 0,
): (draw: number) => Float32Array {
  const key = deriveKey(seed, stream);
  return (draw) => normalNoise(key, draw, rows, length, channels);
}

/**
 * The same where no number is larger than `most`: those that are, are drawn again from the streams 1000, 1001, .. of the
 * seed until they fit, as rejection does (Diffusion-LM's truncated noise).
 */
export function truncatedNoise(
  seed: number | bigint,
  rows: number,
  length: number,
  channels: number,
  most: number,
): (draw: number) => Float32Array {
  const first = seededNoise(seed, rows, length, channels);
  return (draw) => {
    const noise = first(draw);
    for (let stream = 1000; noise.some((value) => Math.abs(value) > most); stream++) {
      const again = normalNoise(deriveKey(seed, stream), draw, rows, length, channels);
      for (let i = 0; i < noise.length; i++) if (Math.abs(noise[i]!) > most) noise[i] = again[i]!;
    }
    return noise;
  };
}
