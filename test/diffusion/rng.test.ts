import { describe, expect, it } from "vitest";
import { normalNoise, seededNoise } from "../../src/diffusion/normal.js";
import { deriveKey, type Key, squares32, uniform } from "../../src/diffusion/rng.js";

const mask = (1n << 64n) - 1n;
const rotate = (x: bigint) => ((x >> 32n) | (x << 32n)) & mask;

/** The published definition, in 64-bit arithmetic. */
function squaresOracle(key: bigint, counter: bigint): number {
  const y = (counter * key) & mask;
  const z = (y + key) & mask;
  let x = y;
  x = rotate((x * x + y) & mask);
  x = rotate((x * x + z) & mask);
  x = rotate((x * x + y) & mask);
  return Number(((x * x + z) & mask) >> 32n);
}

const halves = (x: bigint): Key => ({ hi: Number(x >> 32n), lo: Number(x & 0xffffffffn) });

describe("squares32", () => {
  it("gives the values of the author's own program", () => {
    // Key and first outputs of squaresrngv7, as quoted by an independent implementation's tests.
    const key = halves(0x548c9decbce65297n);
    const published = [
      0x36d88366, 0x944716e0, 0xc8a8f4e0, 0x35cc666a, 0x7094eab1, 0xa2a1b6f5, 0xd884957d, 0xe61f37b9,
    ];
    expect(published.map((_, counter) => squares32(key, 0, counter))).toEqual(published);
    expect(squares32(key, 0, 99)).toBe(0xe00433a3);
  });

  it("equals the 64-bit definition at random and at extreme words", () => {
    const extremes = [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0xffffffff00000000n, mask];
    let state = 1n;
    const next = () => (state = (state * 6364136223846793005n + 1442695040888963407n) & mask);
    const words = [...extremes, ...Array.from({ length: 200 }, next)];
    for (const key of words)
      for (const counter of words) {
        const { hi, lo } = halves(counter);
        const ours = squares32(halves(key), hi, lo);
        if (ours !== squaresOracle(key, counter)) expect.fail(`key ${key} counter ${counter}: ${ours}`);
      }
  });
});

describe("keys", () => {
  const digits = (half: number) => half.toString(16).padStart(8, "0");

  it("have the form Squares asks for", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 500; seed++) {
      const { hi, lo } = deriveKey(seed);
      for (const half of [digits(hi), digits(lo)]) {
        expect(half).toMatch(/^[1-9a-f]{8}$/);
        expect(new Set(half).size).toBe(8);
      }
      expect(lo % 2).toBe(1);
      seen.add(digits(hi) + digits(lo));
    }
    expect(seen.size).toBe(500);
  });

  it("follow the stated draws from SplitMix64", () => {
    // SplitMix64 of seed 1234567 starts 6457827717110365317, 3203168211198807973, 9817491932198370423.
    const published = [6457827717110365317n, 3203168211198807973n, 9817491932198370423n];
    const allowed = Array.from({ length: 15 }, (_, i) => i + 1);
    const expected = published.map((r) => allowed.splice(Number((r >> 32n) % BigInt(allowed.length)), 1)[0]!);
    const hex = digits(deriveKey(1234567).hi);
    expect([...hex.slice(0, 3)].map((digit) => Number.parseInt(digit, 16))).toEqual(expected);
  });

  it("differ between streams of one seed and accept 64-bit seeds", () => {
    expect(deriveKey(7, 0)).not.toEqual(deriveKey(7, 1));
    expect(deriveKey(mask)).not.toEqual(deriveKey(mask - 1n));
  });
});

describe("normal noise", () => {
  it("follows the stated formula", () => {
    const key = deriveKey(42);
    const noise = normalNoise(key, 3, 2, 5, 3);
    for (let row = 0; row < 2; row++)
      for (let e = 0; e < 15; e++) {
        const hi = row * 65536 + 3;
        const pair = e - (e % 2);
        const radius = Math.sqrt(-2 * Math.log(uniform(squares32(key, hi, pair))));
        const angle = 2 * Math.PI * uniform(squares32(key, hi, pair + 1));
        const expected = radius * (e % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
        // Math.cos has the rounding of 2 pi u in it: 2 pi ulp(1) = 1.4e-15, times the radius; then float32.
        expect(Math.abs(noise[row * 15 + e]! - expected)).toBeLessThanOrEqual(
          2 ** -24 * Math.abs(expected) + 1e-14,
        );
      }
  });

  it("is exact at the ends of the uniform", () => {
    // Least and greatest uniform: -2 ln(2^-33) and -2 ln(1 - 2^-33).
    expect(uniform(0)).toBe(2 ** -33);
    expect(uniform(0xffffffff)).toBe(1 - 2 ** -33);
  });

  it("does not depend on the other rows, nor on the length", () => {
    const key = deriveKey(5);
    const large = normalNoise(key, 1, 3, 8, 4);
    const small = normalNoise(key, 1, 1, 5, 4);
    expect(Array.from(large.subarray(0, 20))).toEqual(Array.from(small));
  });

  it("has the moments of N(0, 1)", () => {
    const n = 2 ** 18;
    const sample = seededNoise(1, 1, n, 1)(0);
    const moment = (power: number) => sample.reduce((sum, value) => sum + value ** power, 0) / n;
    // Standard errors of the k-th sample moment of N(0, 1): sqrt(1, 2, 15, 96) / sqrt(n); five of each.
    const bound = (variance: number) => 5 * Math.sqrt(variance / n);
    expect(Math.abs(moment(1))).toBeLessThan(bound(1));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(bound(2));
    expect(Math.abs(moment(3))).toBeLessThan(bound(15));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(bound(96));
    // P(|z| > 3) = 0.0026998.
    const tail = sample.reduce((count, value) => count + (Math.abs(value) > 3 ? 1 : 0), 0) / n;
    expect(Math.abs(tail - 0.0026998)).toBeLessThan(5 * Math.sqrt(0.0027 / n));
  });

  it("is not correlated between neighbouring draws, rows, positions, channels and seeds", () => {
    const n = 2 ** 16;
    const correlation = (p: ArrayLike<number>, q: ArrayLike<number>) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += p[i]! * q[i]!;
      return Math.abs(sum / n);
    };
    const bound = 5 / Math.sqrt(n);
    const noise = seededNoise(9, 2, n / 16, 16);
    const first = noise(1);
    for (const other of [
      noise(2),
      noise(3),
      first.subarray(n),
      seededNoise(10, 1, n / 16, 16)(1),
      normalNoise(deriveKey(9, 1), 1, 1, n / 16, 16),
    ]) {
      expect(correlation(first, other)).toBeLessThan(bound);
      expect(
        correlation(
          first.map((value) => value ** 2 - 1),
          other.map((value) => value ** 2 - 1),
        ),
      ).toBeLessThan(2 * bound);
    }
    for (const lag of [1, 2, 15, 16, 17, 32])
      expect(correlation(first, first.subarray(lag))).toBeLessThan(bound);
  });

  it("refuses what its counter cannot number", () => {
    expect(() => normalNoise(deriveKey(0), 65536, 1, 1, 1)).toThrow(/noise\/counter-range/);
  });
});
