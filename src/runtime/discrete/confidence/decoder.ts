// Confidence decoding: at every step
//   score    a proposal for every position                    (propose.ts)
//   quota    how many open positions are placed                (quota.ts)
//   select   the surest of them, or drawn ones
//   edit     they become their proposals; placed ones may be replaced, or masked again
//   renoise  open positions that were not placed stay, or become random tokens
//   stop     nothing is open and nothing changes; the steps are over; or the best tokens are stable and sure. After
//            renoising the best tokens of the last step are the result: random ones are never left
//
// Draw k + 1 of the block: categories 0 .. n-1 of a position choose its token, category n is its random score or its
// chance to be placed, n + 1 its new noise, n + 2 its place among drawn positions.

import { drawFrom } from "../../../diffusion/discrete/choice.js";
import { neverClean } from "../../../diffusion/discrete/reading.js";
import type { TokenSamplerDescription } from "../../../diffusion/discrete/sampler-description.js";
import { isMasked, maskOf } from "../../../diffusion/discrete/token-process.js";
import type { FloatArray } from "../../step-runner.js";
import type { DecodeContext, Decoder } from "../decoder.js";
import { type Proposal, propose } from "./propose.js";
import { goesOn, longestRun, placedScale, placesAgain, ranking, select } from "./quota.js";

/** What a row of the batch remembers between steps. */
interface RowState {
  readonly atStart: number;
  putOff: number;
  /** Steps since nothing was open. */
  after: number;
  /** Steps for which the best tokens have not changed. */
  stable: number;
  best: readonly number[];
  done: boolean;
}

/** The decoder of a confidence sampler. */
export function confidenceDecoder(sampler: TokenSamplerDescription): Decoder {
  return async function* decode(context) {
    const { plan, batch } = context;
    const steps = Math.max(1, plan.rows.length);
    const states = Array.from({ length: batch }, (_, row): RowState => {
      const own = (i: number): boolean => context.own?.[row * context.length + i] !== 0;
      const atStart = openPositions(context, row).filter(own).length;
      return { atStart, putOff: 0, after: 0, stable: 0, best: [], done: atStart === 0 };
    });
    const { of, limit } = lengths(sampler, steps, states);
    for (let step = 0; step < limit && states.some(({ done }) => !done); step++) {
      const point = plan.rows[Math.min(step, plan.rows.length - 1)];
      const temperature = between(sampler.temperature ?? 0, sampler.final_temperature, step, steps);
      const logits = await context.score(point?.level ?? plan.finalRow.level, temperature);
      const mean = states.reduce((sum, _, row) => sum + openPositions(context, row).length, 0) / batch;
      for (const [row, state] of states.entries())
        if (!state.done) advance(context, sampler, { row, state, step, steps, mean, logits, temperature });
      yield { of: Math.max(of, step + 1), ...(point && { point }) };
    }
  };
}

/** How many steps there are at most where no proposal is the mask, and where decoding ends in any case. */
function lengths(
  { quota = { kind: "uniform" }, edit, renoise }: TokenSamplerDescription,
  steps: number,
  states: readonly RowState[],
): { readonly of: number; readonly limit: number } {
  // Where random tokens come back no position is ever settled: neither do few of them end it sooner, nor many later.
  if (renoise === "uniform") return { of: steps, limit: steps };
  const most = Math.max(...states.map(({ atStart }) => atStart));
  const post = edit?.kind === "threshold" ? (edit.max_steps ?? 16) : 0;
  const of = longestRun(quota, steps, most) + post;
  return { of, limit: goesOn(quota) ? Math.max(of, steps + 2 * most + post) : of };
}

interface StepOfRow {
  readonly row: number;
  readonly state: RowState;
  readonly step: number;
  readonly steps: number;
  /** Open positions of a row of the batch, on average. */
  readonly mean: number;
  readonly logits: FloatArray;
  readonly temperature: number;
}

/** Positions of a row that may change, in order. */
function freePositions({ free, length }: DecodeContext, row: number): number[] {
  const positions: number[] = [];
  for (let i = 0; i < length; i++) if (free[row * length + i] === 1) positions.push(i);
  return positions;
}

/** Those that are masked; in a state without a mask all of them. */
function openPositions(context: DecodeContext, row: number): number[] {
  const { plan, tokens, length } = context;
  const free = freePositions(context, row);
  if (maskOf(plan.process) === undefined) return free;
  return free.filter((i) => isMasked(plan.process, tokens[row * length + i]!));
}

/** One step of one row. */
function advance(
  context: DecodeContext,
  sampler: TokenSamplerDescription,
  { row, state, step, steps, mean, logits, temperature }: StepOfRow,
): void {
  const { plan, tokens, length, first } = context;
  const n = plan.process.vocabulary;
  const draw = context.firstDraw + step + 1;
  const uniform = (position: number, category: number): number =>
    context.uniform(draw, row, first + position, category);
  const open = openPositions(context, row);
  const editing = sampler.edit?.kind === "threshold" ? sampler.edit : undefined;
  const again = placesAgain(sampler.quota);
  const looked = editing === undefined && !again ? open : freePositions(context, row);
  const isOpen = new Set(open);
  const suppressed = suppressedTokens(context, sampler);
  const proposals = new Map<number, Proposal>(
    looked.map((i) => [
      i,
      propose(logits.subarray((row * length + i) * n, (row * length + i + 1) * n), {
        temperature,
        top_k: sampler.top_k ?? 0,
        top_p: sampler.top_p ?? 1,
        nucleus_of: sampler.nucleus_of ?? "all",
        nucleus_edge: sampler.nucleus_edge ?? "in",
        score: sampler.score ?? "probability",
        scoreFrom: sampler.score_from ?? "logits",
        suppressed,
        draw: (p) => context.chosen?.(draw, row, first + i) ?? drawFrom(p, (v) => uniform(i, v)),
        random: () => uniform(i, n),
        position: first + i,
      }),
    ]),
  );

  const scale = placedScale(sampler.quota);
  if (again && scale !== 1)
    for (const [i, proposal] of proposals)
      if (!isOpen.has(i)) proposals.set(i, { ...proposal, score: proposal.score * scale });

  const pool = again ? looked : open;
  const from = plan.rows[Math.min(step, plan.rows.length - 1)];
  const drawn = between(sampler.select_temperature ?? 0, sampler.final_select_temperature, step, steps);
  const best = (count: number): readonly number[] =>
    drawn > 0
      ? (context.places?.(draw, row, count)?.map((place) => place - first) ??
        drawnPositions(pool, proposals, drawn, (i) => uniform(i, n + 2), count))
      : ranking(pool, proposals).slice(0, count);
  const { positions, putOff } = select(
    {
      open: pool,
      proposals,
      step,
      steps,
      atStart: state.atStart,
      mean,
      size: sampler.blocks?.length ?? length,
      rate: from === undefined ? 1 : 1 - from.to.t / from.t,
      left: from === undefined ? 0 : from.to.sigma2 / plan.rows[0]!.sigma2,
      putOff: state.putOff,
      uniform: (i) => uniform(i, n),
      best,
    },
    sampler.quota ?? { kind: "uniform" },
  );
  state.putOff = putOff;

  const placed = new Set(positions);
  for (const i of placed) if (!again || isOpen.has(i)) tokens[row * length + i] = proposals.get(i)!.token;
  let edited = false;
  if (editing !== undefined)
    for (const i of looked) {
      const { token, score } = proposals.get(i)!;
      if (isOpen.has(i) || token === tokens[row * length + i] || score <= editing.threshold) continue;
      tokens[row * length + i] = token;
      edited = true;
    }
  const mask = maskOf(plan.process);
  if (again && mask !== undefined) for (const i of pool) if (!placed.has(i)) tokens[row * length + i] = mask;
  if (sampler.renoise === "uniform")
    for (const i of open) if (!placed.has(i)) tokens[row * length + i] = Math.floor(uniform(i, n + 1) * n);
  finish(sampler, state, {
    proposals,
    settled: open.length === 0 && !edited,
    // A position whose proposal was the mask is still open.
    left:
      plan.process.kind === "absorbing"
        ? openPositions(context, row).length
        : pool.filter((i) => !placed.has(i)).length,
    last: step >= steps - 1,
    owed: putOff,
    context,
    row,
  });
}

interface Finished {
  readonly proposals: ReadonlyMap<number, Proposal>;
  /** Nothing was open when the step began, and nothing changed. */
  readonly settled: boolean;
  readonly left: number;
  readonly last: boolean;
  /** Positions put off to the next step. */
  readonly owed: number;
  readonly context: DecodeContext;
  readonly row: number;
}

/** Whether the row is done. */
function finish(
  sampler: TokenSamplerDescription,
  state: RowState,
  { proposals, settled, left, last, owed, context, row }: Finished,
): void {
  if (sampler.stop?.kind === "stable") {
    const best = [...proposals.values()].map((proposal) => proposal.best);
    const same = best.length === state.best.length && best.every((token, i) => token === state.best[i]);
    state.stable = same ? state.stable + 1 : 0;
    state.best = best;
    const mean =
      [...proposals.values()].reduce((sum, { entropy }) => sum + entropy, 0) / Math.max(1, proposals.size);
    if (state.stable >= (sampler.stop.steps ?? 1) && mean < (sampler.stop.entropy ?? 0.005))
      state.done = true;
  }
  if (sampler.edit?.kind === "threshold") {
    if (left === 0) state.after++;
    if (settled || (left === 0 && state.after > (sampler.edit.max_steps ?? 16))) state.done = true;
  } else if (left === 0 && sampler.renoise !== "uniform") state.done = true;
  if (last && owed === 0 && sampler.quota?.kind === "uniform" && sampler.edit?.kind !== "threshold")
    state.done = true;
  if (sampler.renoise === "uniform" && (last || state.done)) {
    for (const [i, { best }] of proposals) context.tokens[row * context.length + i] = best;
    state.done = true;
  }
}

/** The tokens that are never proposed: those of the sampler, and the mask where the prediction excludes it. */
function suppressedTokens(
  { plan }: DecodeContext,
  { suppress_tokens: own = [] }: TokenSamplerDescription,
): readonly number[] {
  const mask = neverClean(plan.process, plan.prediction.target === "subs");
  return mask === undefined ? own : [...own, mask];
}

/** Linear from `first` in the first step to `last` in the last; without `last`, constant. */
function between(first: number, last: number | undefined, step: number, steps: number): number {
  return last === undefined || steps < 2
    ? first
    : first + ((last - first) * Math.min(step, steps - 1)) / (steps - 1);
}

/**
 * `count` positions drawn one after the other with probability softmax(score / temperature) among those left: the
 * largest of score / temperature + Gumbel numbers (Kool et al. 2019).
 */
function drawnPositions(
  open: readonly number[],
  proposals: ReadonlyMap<number, Proposal>,
  temperature: number,
  uniform: (position: number) => number,
  count: number,
): number[] {
  const key = new Map(
    open.map((i) => [i, proposals.get(i)!.score / temperature - Math.log(-Math.log(uniform(i)))]),
  );
  return [...open].sort((i, j) => key.get(j)! - key.get(i)! || i - j).slice(0, count);
}
