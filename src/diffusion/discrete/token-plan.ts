// The plan of a model with a discrete state: the visited times, what the network is told at each, and how its output is
// read. Made once from the description, in float64; every back end walks the same.

import { type GridPoint, resolveGrid } from "../grid.js";
import { totalNoise } from "../noise-level.js";
import type { Classed, PlanOptions, SamplerParts, StateSpaceDescription } from "../plan.js";
import { type ResolvedSchedule, resolveSchedule } from "../resolve.js";
import { timeInput } from "../time-input.js";
import { matrixMaps } from "./matrices.js";
import type { TokenPoint, TokenRow } from "./points.js";
import type { TokenPrediction } from "./reading.js";
import { type Revision, revisionOf } from "./revise.js";
import type { TokenSamplerDescription } from "./sampler-description.js";
import { stepNumbers } from "./step-numbers.js";
import { firstShare, levelOf, type TokenProcess } from "./token-process.js";
import { bindTokenSchedule, type TokenScheduleDescription, tokenMaps } from "./token-schedule.js";

/** Everything a decoder of tokens needs besides the network. */
export interface TokenPlan extends Classed {
  readonly kind: "tokens";
  readonly process: TokenProcess;
  /** Share of the first state's tokens that are random; the others are masks. */
  readonly firstShare: number;
  readonly prediction: TokenPrediction;
  readonly sampler: TokenSamplerDescription;
  readonly rows: readonly TokenRow[];
  /** argmax, sample: N visited times are N - 1 updates and one more call at the last. none: the updates alone. */
  readonly final: "argmax" | "sample" | "none";
  /** The last visited time. */
  readonly finalRow: TokenPoint;
  /** How the text is revised after the last step, where the sampler asks for it. */
  readonly revision?: Revision;
  /** The number the network is told at a time that is not on the grid; absent from a table, see plan-table.ts. */
  levelAt?(t: number): number;
}

/** The token process of a state space on a grid. */
function processOf(
  state: StateSpaceDescription,
  grid: readonly GridPoint[],
  schedule: ResolvedSchedule,
): TokenProcess {
  const vocabulary = state.vocab_size!;
  const mask = state.mask_token_id ?? vocabulary - 1;
  switch (state.kind) {
    case "uniform":
      return { kind: "uniform", vocabulary };
    case "hybrid":
      return { kind: "hybrid", vocabulary, mask, random: state.random_tokens! };
    case "matrix":
      return {
        kind: "matrix",
        vocabulary,
        ...matrixMaps(state.transition!, vocabulary, grid, schedule),
      };
    default:
      return state.token_schedule === undefined
        ? { kind: "absorbing", vocabulary, mask }
        : perToken(state.token_schedule, vocabulary, mask);
  }
}

function perToken(described: TokenScheduleDescription, vocabulary: number, mask: number): TokenProcess {
  const schedule = bindTokenSchedule(described, vocabulary, mask);
  return {
    kind: "per_token",
    vocabulary,
    mask,
    ...(schedule.kind === "spindle" && { information: schedule.information }),
    maps: tokenMaps(schedule, mask),
  };
}

/**
 * The plan of a description with a discrete state.
 * Throws what the parts throw (`schedule/...`, `timesteps/...`).
 */
export function planTokens(parts: SamplerParts, options: PlanOptions = {}): TokenPlan {
  const schedule = resolveSchedule(parts.noise_schedule, options.constants);
  const grid = resolveGrid(parts.timesteps, schedule, options.numSteps);
  const sampler = parts.sampler as TokenSamplerDescription;
  const derivatives = schedule.kind === "continuous" ? schedule : {};
  const process = processOf(parts.state_space!, grid, schedule);
  const point = (visited: GridPoint, visit?: number): TokenPoint => {
    const level = levelOf(process, visited.level);
    return {
      t: visited.t,
      ...(visited.index === undefined ? {} : { index: visited.index }),
      level: timeInput(parts.time_conditioning ?? {}, { ...visited, level }),
      ...level,
      ...(process.kind === "matrix" && visit !== undefined && { visit }),
      totalNoise: totalNoise(level),
    };
  };
  const points = grid.map((visited, visit) => point(visited, visit));
  const { final = "argmax", self_correction: correction } = sampler;
  const revisedAt =
    correction?.t === undefined || schedule.kind !== "continuous"
      ? points.at(-1)!
      : point({ t: correction.t, level: schedule.at(correction.t) });
  return {
    kind: "tokens",
    process,
    firstShare: firstShare(process),
    prediction: { target: "x0", ...(parts.prediction_type as Partial<TokenPrediction>) },
    sampler,
    rows: points.slice(0, -1).map((from, step) => {
      const row = { step, ...from, to: points[step + 1]! };
      return { ...row, ...stepNumbers(sampler, process, derivatives, row) };
    }),
    final,
    finalRow: points.at(-1)!,
    ...(correction && { revision: revisionOf(correction, process, revisedAt) }),
    levelAt: (t) =>
      schedule.kind === "continuous" ? point({ t, level: schedule.at(t) }).level : points[0]!.level,
  };
}
