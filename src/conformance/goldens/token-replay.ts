// A whole decoding run through the shared driver, replayed with upstream's recorded uniforms, on one back end.

import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { decodeTokens } from "../../runtime/discrete/decode-tokens.js";
import type { FloatArray } from "../../runtime/step-runner.js";
import type { TokenRunner } from "../../runtime/token-runner.js";
import { bug } from "../../support/diagnostic.js";
import type { Computed } from "./compare.js";
import { type Each, mapEach } from "./each.js";
import { type GoldenCase, type GoldenTensor, hasTensor, tensorOf } from "./golden-case.js";
import { entry } from "./layout.js";

/** What a decoding run went through. */
export interface TokenTrajectory {
  /** The first state, and the state after each update; all [B, L]. */
  readonly states: readonly Int32Array[];
  /** The weights that each update drew from, [B, L, V]. */
  readonly weights: readonly (Float64Array | undefined)[];
  /** The calls of the network: its logits and the state they belong to. */
  readonly calls: readonly { readonly logits: FloatArray; readonly tokens: Int32Array }[];
  readonly tokens: Int32Array;
}

interface TokenReplay {
  readonly plan: TokenPlan;
  readonly start: Int32Array;
  readonly batch: number;
  /** Uniforms of update k (the final draw comes after the last), [B, L, categories]. */
  readonly uniforms: (update: number) => GoldenTensor | undefined;
}

export async function replayTokens(
  runner: TokenRunner,
  { plan, start, batch, uniforms }: TokenReplay,
): Promise<TokenTrajectory> {
  const states: Int32Array[] = [start];
  const weights: (Float64Array | undefined)[] = [];
  const calls: { logits: FloatArray; tokens: Int32Array }[] = [];
  const uniform = (draw: number, row: number, position: number, category: number): number => {
    const { shape, data } = uniforms(draw - 1) ?? bug(`the case has no uniforms of draw ${draw}`);
    const [, length = 1, categories = 1] = shape;
    return data[(row * length + position) * categories + category]!;
  };
  const options = { plan, batch, noise: { uniform, start } };
  for await (const state of decodeTokens(runner, {
    ...options,
    onLogits: (logits, tokens) => void calls.push({ logits: Float64Array.from(logits), tokens }),
  })) {
    if (state.done) return { states, weights, calls, tokens: state.tokens };
    states.push(state.tokens);
    weights.push(state.weights);
  }
  return bug("a generation ended without its last state");
}

/** The first state and the uniforms of a run as the case recorded them: draw.<run>.u and, after them, u_denoise. */
export function recordedRun(
  golden: GoldenCase,
  run: string,
): Pick<TokenReplay, "start" | "batch" | "uniforms"> {
  const trajectory = tensorOf(golden, `traj.${run}.x`);
  const recorded = tensorOf(golden, `draw.${run}.u`);
  const last = `draw.${run}.u_denoise`;
  return {
    start: Int32Array.from(entry(trajectory, 0)),
    batch: trajectory.shape[1]!,
    uniforms: (k) =>
      k < recorded.shape[0]!
        ? { shape: recorded.shape.slice(1), data: entry(recorded, k) }
        : hasTensor(golden, last)
          ? tensorOf(golden, last)
          : undefined,
  };
}

/** A column of a run under traj.<run>., whether it is exact, and what it is of a trajectory. */
export type Column = readonly [
  name: string,
  exact: boolean,
  of: (walk: TokenTrajectory) => ArrayLike<number> | undefined,
];

/** States, weights and tokens of a run that the case has, and further columns. */
export function trajectoryColumns(
  golden: GoldenCase,
  run: string,
  walks: Each<TokenTrajectory>,
  more: readonly Column[],
): Computed[] {
  const columns: readonly Column[] = [
    [`traj.${run}.x`, true, ({ states }) => states.flatMap((state) => [...state])],
    [`traj.${run}.q_first`, false, ({ weights }) => weights[0]],
    [`traj.${run}.q_mid`, false, ({ weights }) => weights[Math.floor((weights.length - 1) / 2)]],
    [`out.${run}.tokens`, true, ({ tokens }) => tokens],
    ...more.map(([name, exact, of]): Column => [`traj.${run}.${name}`, exact, of]),
  ];
  return columns
    .filter(([name]) => hasTensor(golden, name))
    .map(([name, exact, of]) => ({
      name,
      exact,
      ...mapEach(walks, (walk) => of(walk) ?? bug(`a run lacks what ${name} is compared with`)),
    }));
}
