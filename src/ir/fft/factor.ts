// Every way to write a length as an ordered product of factors a machine likes.

/** Limits of a search: lengths in [least, most], factors in `factors`, at most `orders` of them. */
export interface FactorLimits {
  readonly least: number;
  readonly most: number;
  readonly factors: { readonly least: number; readonly most: number; readonly alone: number };
  readonly orders: number;
  /** The first factor must be even (packed circular form). */
  readonly evenFirst: boolean;
}

/**
 * Calls `visit` with each ordered factorisation whose product lies in [least, most]. Orders of three and more
 * take factors up to a quarter of the limit only: larger ones lose to the next lower order.
 */
export function visitFactorisations(limits: FactorLimits, visit: (factors: readonly number[]) => void): void {
  const { least, most, factors, orders, evenFirst } = limits;
  for (let M = least; M <= Math.min(most, factors.alone); M++) if (!evenFirst || M % 2 === 0) visit([M]);
  const grow = (chosen: readonly number[], product: number, left: number, largest: number): void => {
    if (left === 1) {
      const from = Math.max(factors.least, Math.ceil(least / product));
      const to = Math.min(largest, Math.floor(most / product));
      for (let factor = from; factor <= to; factor++) visit([...chosen, factor]);
      return;
    }
    const to = Math.min(largest, Math.floor(most / product / factors.least ** (left - 1)));
    for (let factor = factors.least; factor <= to; factor++) {
      if (product * factor * largest ** (left - 1) < least) continue;
      if (chosen.length === 0 && evenFirst && factor % 2 !== 0) continue;
      grow([...chosen, factor], product * factor, left - 1, largest);
    }
  };
  for (let order = 2; order <= orders; order++)
    grow([], 1, order, order === 2 ? 4 * factors.most : Math.max(32, factors.most / 2 ** (order - 3)));
}
