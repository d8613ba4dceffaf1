// quota and select: which of the open positions are placed. Positions are ranked by score, the lower position first on a
// tie. Every rule places at least one where it says so; none places a position that is not open. To add one: a schema
// fragment, its members in `Members`, its rule in `rules`.

import type { QuotaDescription } from "../../../diffusion/discrete/sampler-description.js";
import type { Proposal } from "./propose.js";

/** What a quota looks at, for one row of the batch. */
export interface QuotaView {
  /** Open positions in order; with placed ones where those compete again. */
  readonly open: readonly number[];
  /** Their proposals, by position. */
  readonly proposals: ReadonlyMap<number, Proposal>;
  /** Number of this step of the block, from 0, and how many the grid has. */
  readonly step: number;
  readonly steps: number;
  /** Positions that were open when the block began. */
  readonly atStart: number;
  /** Open positions of a row of the batch, on average. */
  readonly mean: number;
  /** Positions of a block, given ones included. */
  readonly size: number;
  /** 1 - s/t of the step; 1 in the last. */
  readonly rate: number;
  /** Noise after the step over noise at the first time, as chances that a token is noise. */
  readonly left: number;
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

/** What is divided into equal shares: the positions that are open at first, or all of a block. */
interface Shared {
  readonly share_of?: "open" | "block";
}

/** What each kind says besides its name (schema: Quota). */
interface Members {
  readonly uniform: Shared & { readonly threshold?: number };
  readonly rate: { readonly of?: "row" | "batch" };
  readonly independent: object;
  readonly schedule: { readonly among?: "open" | "all"; readonly placed_scale?: number };
  readonly threshold: Shared & { readonly threshold: number; readonly at_least?: "one" | "uniform" | number };
  readonly factor: { readonly factor: number };
  readonly entropy_bound: { readonly bound: number; readonly own?: boolean };
}
type Kind = keyof Members;

type Rule<M> = (view: QuotaView, quota: M) => Selection;

/** How many positions are divided. */
const divided = ({ atStart, size }: QuotaView, { share_of: of }: Shared): number =>
  of === "block" ? size : atStart;

const whole = (positions: readonly number[]): Selection => ({ positions, putOff: 0 });

const rules: { readonly [K in Kind]: Rule<Members[K]> } = {
  uniform(view, quota) {
    const { step, steps, putOff, proposals, best, open } = view;
    const n = divided(view, quota);
    if (quota.threshold === undefined) return whole(best(uniformShare(n, steps, step)));
    // Dream under Fast-dLLM: equal shares, the remainder in the last step, and what was put off comes on top.
    const rest = step === steps - 1 ? n % steps : 0;
    const share = (step < steps ? Math.floor(n / steps) : 0) + rest + putOff;
    const chosen = best(Math.min(share, open.length));
    const positions = chosen.filter((i, k) => k === 0 || proposals.get(i)!.score >= quota.threshold!);
    return { positions, putOff: chosen.length - positions.length };
  },
  rate({ open, mean, rate, best, step, steps }, { of }) {
    const n = of === "batch" ? mean : open.length;
    return whole(best(Math.floor(step >= steps - 1 ? n : n * rate)));
  },
  independent: ({ open, rate, step, steps, uniform }) =>
    whole(open.filter((i) => step >= steps - 1 || uniform(i) < rate)),
  schedule({ open, best, atStart, left, step, steps }, { among }) {
    const still = step >= steps - 1 ? 0 : Math.floor((among === "all" ? open.length : atStart) * left);
    return whole(best(Math.max(1, open.length - still)));
  },
  threshold(view, quota) {
    const { open, proposals, best, step, steps } = view;
    const { threshold, at_least: least = "one" } = quota;
    const sure = ranking(open, proposals).filter((i) => proposals.get(i)!.score >= threshold);
    const share = (): number => uniformShare(divided(view, quota), steps, step);
    const floor = least === "uniform" ? share() : least === "one" ? 1 : least;
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
  entropy_bound({ open, proposals }, { bound, own = false }) {
    const order = [...open].sort((i, j) => proposals.get(i)!.entropy - proposals.get(j)!.entropy || i - j);
    let before = 0;
    const positions = order.filter((i, k) => {
      const { entropy } = proposals.get(i)!;
      const fits = k === 0 || before + (own ? entropy : 0) <= bound;
      before += entropy;
      return fits;
    });
    return whole(positions);
  },
};

/** Kinds that place at least one position a step and go on until nothing is open. */
const untilDone: ReadonlySet<string> = new Set<Kind>(["threshold", "factor", "entropy_bound"]);

/** Whether a quota goes on, beyond the grid if need be, until nothing is open; equal shares end with the grid. */
export function goesOn(quota: QuotaDescription): boolean {
  return untilDone.has(quota.kind) && quota.at_least !== "uniform";
}

/** Whether placed positions compete again: a quota then says which of all positions are not noise after the step. */
export function placesAgain(quota: QuotaDescription | undefined): boolean {
  return quota?.among === "all";
}

/** What the score of a placed position that competes again is multiplied by. */
export function placedScale(quota: QuotaDescription | undefined): number {
  return (quota as Members["schedule"] | undefined)?.placed_scale ?? 1;
}

/** An upper bound of the steps for `most` open positions of which none is proposed the mask. */
export function longestRun(quota: QuotaDescription, steps: number, most: number): number {
  if (goesOn(quota)) return most;
  return quota.kind === "uniform" && quota.threshold !== undefined ? steps + most : steps;
}

/** The positions that a quota places. */
export function select(view: QuotaView, quota: QuotaDescription): Selection {
  if (view.open.length === 0) return whole([]);
  // The table is typed per kind; indexing by a name forgets which.
  return (rules[quota.kind as Kind] as Rule<QuotaDescription>)(view, quota);
}
