// Factors for the kernel that transforms lines in registers and workgroup memory: which sizes have a codelet,
// and which product of them is cheapest for a length.

/** Sizes a stage may have: products of 2, 3, 5 and 7 up to 32, beyond which registers run out. */
export const radices: readonly number[] = Array.from({ length: 31 }, (_, i) => i + 2).filter((n) =>
  primesOf(n).every((prime) => prime <= 7),
);

function primesOf(n: number): number[] {
  const primes: number[] = [];
  for (let p = 2, rest = n; rest > 1; p++) for (; rest % p === 0; rest /= p) primes.push(p);
  return primes;
}

/** Additions and products per point of a codelet: its primes, and the turns between them. */
function codeletWork(radix: number): number {
  const perPrime: Readonly<Record<number, number>> = { 2: 2, 3: 16 / 3, 5: 8, 7: 11 };
  const primes = primesOf(radix);
  const turns = radix <= 4 ? 0 : 2 * (primes.length - 1);
  // Above 16 numbers a stage's registers leave room for few invocations.
  return (primes.reduce((sum, prime) => sum + perPrime[prime]!, 0) + turns) * (radix > 16 ? 1.5 : 1);
}

/** Moving a number through workgroup memory, its twiddle and the barrier, in the unit of codeletWork. */
const exchange = 30;

/** M (sum over stages of codelet and exchange), twice: what a line costs where memory traffic is the same. */
function work(factors: readonly number[]): number {
  const points = factors.reduce((a, b) => a * b, 1);
  const stages = factors.reduce((sum, radix) => sum + codeletWork(radix), 0);
  return points * (stages + exchange * (factors.length - 1));
}

/**
 * The cheapest factors, largest first, of a length M >= `length`; undefined when no product of radices near it
 * will do. Lines longer than `longest` points are cut by their first factor into lines of at most that.
 */
export function lineFactors(length: number, longest: number): readonly number[] | undefined {
  if (length === 1) return [1];
  let best: readonly number[] | undefined;
  const grow = (chosen: readonly number[], product: number, most: number, limit: number): void => {
    if (product >= length) {
      const factors = chosen.toSorted((a, b) => b - a);
      const fits = product <= longest || product / factors[0]! <= longest;
      if (fits && (best === undefined || work(factors) < work(best))) best = factors;
      return;
    }
    if (chosen.length === 5) return;
    for (const radix of radices)
      if (radix <= most && product * radix <= limit) grow([...chosen, radix], product * radix, radix, limit);
  };
  for (let slack = 1.12; best === undefined && slack < 3; slack *= 1.4)
    grow([], 1, 32, Math.max(length + 1, Math.floor(slack * length)));
  return best;
}
