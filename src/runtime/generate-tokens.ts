// Every model's loop: which one it is, is in the plan.

import { planOf } from "../diffusion/plan-of.js";
import type { Plan } from "../diffusion/plans.js";
import { isSimplexPlan, isTokenPlan } from "../diffusion/plans.js";
import { bug } from "../support/diagnostic.js";
import type { Runner } from "./any-runner.js";
import { type ClassInput, withClasses } from "./classes.js";
import { eitherViews } from "./discrete/block-views.js";
import { decoders } from "./discrete/decoders.js";
import { tokenLoop } from "./discrete/token-loop.js";
import { type EncoderInput, encoderRows } from "./encoder.js";
import { gaussianLoop } from "./gaussian-loop.js";
import { type RuntimeManifest, samplerOf } from "./manifest.js";
import { simplexLoop } from "./simplex/simplex-loop.js";
import type { Loop, TokenOptions, TokenState } from "./token-state.js";

/** The loop of any state. */
export const anyLoop: Loop = {
  generate: (runner, options) => loopOf(options.plan).generate(runner, options),
};

function loopOf(plan: Plan): Loop {
  if (isTokenPlan(plan)) return tokenLoop(decoders, eitherViews);
  return isSimplexPlan(plan) ? simplexLoop : gaussianLoop;
}

/** What to generate, with an encoder's output and classes as they come. */
export type GenerateTokensOptions = Omit<TokenOptions, "encoder"> & {
  readonly encoder?: EncoderInput;
  readonly classes?: ClassInput;
};

/**
 * Generate, yielding tokens after every update and the final ones. Throws what `generate`, `decodeTokens`, `encoderRows`
 * and `withClasses` throw, `generate/noise-kind` for noise of the other kind of state.
 */
export async function* generateTokens(
  runner: Runner,
  { encoder: given, classes, ...options }: GenerateTokensOptions,
): AsyncGenerator<TokenState, void, undefined> {
  const { plan, batch = 1 } = options;
  const encoder = encoderRows(given, runner.encoder, batch);
  const classed = withClasses(runner, plan, classes, batch);
  yield* anyLoop.generate(classed, { ...options, ...(encoder && { encoder }) });
}

/** The plan of a bundle, with the compiled number of steps or another. Throws `bundle/no-sampler`. */
export function planFromManifest(manifest: Pick<RuntimeManifest, "sampler">, numSteps?: number): Plan {
  return planOf(...samplerOf(manifest, numSteps));
}

/** The last state of a generation; the others are passed over. */
export async function generateTokensToEnd(
  runner: Runner,
  options: GenerateTokensOptions,
): Promise<TokenState> {
  let last: TokenState | undefined;
  for await (const state of generateTokens(runner, options)) last = state;
  return last ?? bug("a generation ended without a state");
}
