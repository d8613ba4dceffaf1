// The one random source: Squares32, a counter-based generator (Widynski 2022, "Squares: A Fast
// Counter-Based RNG", arXiv 2004.06278v7). A draw is a pure function of (key, counter), so every back end
// can make any draw on its own, in any order. 64-bit words are pairs of 32-bit halves: the same arithmetic
// as in WGSL, and no BigInt where draws are made.
//
// A 64-bit counter names one draw: high word = row * 2^16 + draw, low word = position * channels + channel.
// `draw` is 0 for the initial noise and k for the noise of update k (k = 1 is the noisiest). The number of
// rows and the length do not enter: a batch row or a prefix gets the same noise alone and in company.

/** A Squares key as two 32-bit halves. */
export interface Key {
  readonly hi: number;
  readonly lo: number;
}

/** High 32 bits of the 64-bit product of two 32-bit words, from products of their 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const low = Math.imul(a0, b0);
  const left = Math.imul(a0, b1);
  const right = Math.imul(a1, b0);
  const carry = (low >>> 16) + (left & 0xffff) + (right & 0xffff);
  return (Math.imul(a1, b1) + (left >>> 16) + (right >>> 16) + (carry >>> 16)) | 0;
}

/** 1 when the 32-bit sum of `term` and something wrapped around. */
function carryOf(sum: number, term: number): number {
  return sum >>> 0 < term >>> 0 ? 1 : 0;
}

/** Squares with four rounds: 32 random bits for the counter (hi, lo), as an unsigned number. */
export function squares32(key: Key, counterHi: number, counterLo: number): number {
  // y = counter * key, z = y + key, all mod 2^64; words are kept as signed 32-bit integers.
  const yLo = Math.imul(counterLo, key.lo);
  const yHi =
    (multiplyHigh(counterLo, key.lo) + Math.imul(counterLo, key.hi) + Math.imul(counterHi, key.lo)) | 0;
  const zLo = (yLo + key.lo) | 0;
  const zHi = (yHi + key.hi + carryOf(zLo, yLo)) | 0;
  let lo = yLo;
  let hi = yHi;
  for (let round = 0; round < 4; round++) {
    // x = x * x + (y or z), then the halves change places; the answer is the last round's high half.
    const addLo = round % 2 === 0 ? yLo : zLo;
    const addHi = round % 2 === 0 ? yHi : zHi;
    const squareLo = Math.imul(lo, lo);
    const squareHi = (multiplyHigh(lo, lo) + (Math.imul(lo, hi) << 1)) | 0;
    const sumLo = (squareLo + addLo) | 0;
    const sumHi = (squareHi + addHi + carryOf(sumLo, squareLo)) | 0;
    lo = sumHi;
    hi = sumLo;
  }
  return lo >>> 0;
}

/** One step of SplitMix64 (Steele, Lea and Flood 2014): the output for a state already advanced. */
function splitMix(state: bigint): bigint {
  let z = state;
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

/**
 * The Squares key of a user's seed (0 <= seed < 2^64) and a stream number (0: Gaussian noise).
 * Squares wants keys of the form its author publishes: sixteen non-zero hexadecimal digits, the first eight
 * all different, the last eight all different, the last digit odd. Draw n (n = 0 .. 15) is the SplitMix64
 * output number 16 * stream + n of the seed, r, and picks number floor(r / 2^32) mod m of the m digits still
 * allowed, in ascending order. Draws 0 .. 7 are the first eight digits, most significant first; draw 8 is
 * the last digit, from the odd ones; draws 9 .. 15 are the seven digits before it.
 */
export function deriveKey(seed: number | bigint, stream = 0): Key {
  let state = BigInt.asUintN(64, BigInt(seed) + BigInt(16 * stream) * 0x9e3779b97f4a7c15n);
  const pick = (allowed: number[]): number => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    return allowed.splice(Number((splitMix(state) >> 32n) % BigInt(allowed.length)), 1)[0]!;
  };
  const digits = () => Array.from({ length: 15 }, (_, i) => i + 1);
  let left = digits();
  let hi = 0;
  for (let d = 0; d < 8; d++) hi = hi * 16 + pick(left);
  left = digits();
  const last = pick(left.filter((digit) => digit % 2 === 1));
  left.splice(left.indexOf(last), 1);
  let lo = 0;
  for (let d = 0; d < 7; d++) lo = lo * 16 + pick(left);
  return { hi, lo: lo * 16 + last };
}

/** The uniform of 32 random bits: (r + 1/2) 2^-32, never 0 or 1, exact in float64 (33 bits). */
export function uniform(bits: number): number {
  return (bits + 0.5) * 2 ** -32;
}
