// A whole sampling run through the shared driver, replayed with upstream's recorded noise, on one back end.

import type { SamplerPlan } from "../../diffusion/plan.js";
import { type FixedTokens, generate } from "../../runtime/index.js";
import type { FloatArray, StepRunner } from "../../runtime/step-runner.js";
import { bug } from "../../support/diagnostic.js";

/** What a sampling run went through. */
export interface Trajectory {
  /** The initial state and the state after each update. */
  readonly states: readonly FloatArray[];
  /** The prediction of each update, clamped where the model clamps. */
  readonly predictions: readonly FloatArray[];
  /** The tokens of each update. */
  readonly choices: readonly Int32Array[];
  /** The final tokens and their logits. */
  readonly tokens: Int32Array;
  readonly logits: FloatArray;
}

interface Replay {
  readonly plan: SamplerPlan;
  readonly batch: number;
  /** The initial state, [B, L, d]. */
  readonly start: Float64Array;
  /** Noise of update k, 0 the noisiest. */
  readonly noise?: (update: number) => Float64Array;
  /** Given positions, overwritten after every update as in Diffusion-LM's infilling. */
  readonly fixed?: FixedTokens;
}

export async function replay(
  runner: StepRunner,
  { plan, batch, start, noise, fixed }: Replay,
): Promise<Trajectory> {
  const states: FloatArray[] = [start];
  const predictions: FloatArray[] = [];
  const choices: Int32Array[] = [];
  const source = (draw: number): FloatArray =>
    draw === 0 ? start : (noise?.(draw - 1) ?? new Float64Array(start.length));
  const options = { plan, batch, noise: source, ...(fixed && { fixed, fixFrom: "first_update" as const }) };
  for await (const state of generate(runner, options)) {
    if (state.done) {
      const { tokens, logits = new Float64Array() } = state;
      return { states, predictions, choices, tokens, logits };
    }
    choices.push(state.tokens);
    states.push(Float64Array.from(state.x));
    predictions.push(Float64Array.from(state.x0));
  }
  return bug("a generation ended without its last state");
}
