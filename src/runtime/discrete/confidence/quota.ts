// quota and select: which of the open positions are placed. Positions are ranked by score, the lower position first on a
// tie. Every rule places at least one where it says so; none places a position that is not open.

import type { QuotaDescription } from "../../../diffusion/discrete/sampler-description.js";
import type { Proposal } from "./propose.js";

/** What a quota looks at, for one row of the batch. */
export interface QuotaView {
  /** Open positions in order. */
  readonly open: readonly number[];
  /** Their proposals, by position. */
  readonly proposals: ReadonlyMap<number, Proposal>;
  /** Number of this step of the block, from 0, and how many the grid has. */
  readonly step: number;
  readonly steps: number;
  /** Positions that were open when the block began. */
  readonly atStart: number;
  /** 1 - s/t of the step; 1 in the last. */
  readonly rate: number;
  /** Positions put off in the step before (quota uniform with a threshold). */
  readonly putOff: number;
  /** A uniform number of a position. */
  readonly uniform: (position: number) => number;
  /** `count` open positions, the surest first, or drawn where the sampler draws positions. */
  readonly best: (count: number) => readonly number[];
}

/** The positions to place, and how many of the quota were put off. */
export interface Selection {
  readonly positions: readonly number[];
  readonly putOff: number;
}

/** LLaDA's share of a step: floor(n/N), one more in the first n mod N steps. */
export function uniformShare(n: number, steps: number, step: number): number {
  return step >= steps ? 0 : Math.floor(n / steps) + (step < n % steps ? 1 : 0);
}

/** Positions from the surest on. */
export function ranking(open: readonly number[], proposals: ReadonlyMap<number, Proposal>): number[] {
  return [...open].sort((i, j) => proposals.get(j)!.score - proposals.get(i)!.score || i - j);
}

type Rule<K extends QuotaDescription["kind"]> = (
  view: QuotaView,
  quota: Extract<QuotaDescription, { kind: K }>,
) => Selection;

const whole = (positions: readonly number[]): Selection => ({ positions, putOff: 0 });

const rules: { readonly [K in QuotaDescription["kind"]]: Rule<K> } = {
  uniform({ atStart, step, steps, putOff, proposals, best, open }, { threshold }) {
    if (threshold === undefined) return whole(best(uniformShare(atStart, steps, step)));
    // Dream under Fast-dLLM: equal shares, the remainder in the last step, and what was put off comes on top.
    const rest = step === steps - 1 ? atStart % steps : 0;
    const share = (step < steps ? Math.floor(atStart / steps) : 0) + rest + putOff;
    const chosen = best(Math.min(share, open.length));
    const positions = chosen.filter((i, k) => k === 0 || proposals.get(i)!.score >= threshold);
    return { positions, putOff: chosen.length - positions.length };
  },
  rate: ({ open, rate, best, step, steps }) =>
    whole(best(step >= steps - 1 ? open.length : Math.floor(open.length * rate))),
  independent: ({ open, rate, step, steps, uniform }) =>
    whole(open.filter((i) => step >= steps - 1 || uniform(i) < rate)),
  threshold({ open, proposals, best, atStart, step, steps }, { threshold, at_least: least }) {
    const order = ranking(open, proposals);
    const sure = order.filter((i) => proposals.get(i)!.score >= threshold);
    const floor = least === "uniform" ? Math.max(1, uniformShare(atStart, steps, step)) : 1;
    return whole(sure.length >= floor ? sure : best(Math.min(floor, open.length)));
  },
  factor({ open, proposals }, { factor }) {
    const order = ranking(open, proposals);
    let n = 1;
    order.forEach((i, k) => {
      if ((k + 2) * (1 - proposals.get(i)!.score) < factor) n = Math.max(n, k + 1);
    });
    return whole(order.slice(0, n));
  },
  entropy_bound({ open, proposals }, { bound }) {
    const order = [...open].sort((i, j) => proposals.get(i)!.entropy - proposals.get(j)!.entropy || i - j);
    let before = 0;
    const positions = order.filter((i, k) => {
      const fits = k === 0 || before <= bound;
      before += proposals.get(i)!.entropy;
      return fits;
    });
    return whole(positions);
  },
};

/** The positions that a quota places. */
export function select(view: QuotaView, quota: QuotaDescription): Selection {
  if (view.open.length === 0) return whole([]);
  // The table is typed per kind; indexing by a union forgets which.
  return (rules[quota.kind] as (view: QuotaView, quota: QuotaDescription) => Selection)(view, quota);
}
