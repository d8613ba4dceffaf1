// The same loop as driver.ts for those who only want the tokens: where the runner can keep the state to itself, it
// never comes back to the host between steps. A seed gives the same tokens either way.

import type { SamplerRow } from "../diffusion/plan.js";
import { bug } from "../support/diagnostic.js";
import { type GenerateOptions, generate, noiseSource } from "./driver.js";
import { fixedBatch, overwriteRows, overwriteTokens } from "./fixed-positions.js";
import { margins } from "./margins.js";
import type { FloatArray, ResidentState, StepRunner } from "./step-runner.js";

/** What to generate: `GenerateOptions` without what needs the state on the host. */
export type TokenOptions = Omit<GenerateOptions, "beforeStep" | "stop"> & {
  /** Ends sampling early: the tokens are then those of the state it answered `true` to. */
  readonly stop?: (state: TokenState) => boolean | Promise<boolean>;
};

/** Where a generation stands after a step. */
export interface TokenState {
  /** 1 after the first update; equals `of` in the last state. */
  readonly step: number;
  readonly of: number;
  readonly done: boolean;
  /** The best tokens so far, [B, L]. */
  readonly tokens: Int32Array;
  /** The row of the plan that led here; absent in the final state. */
  readonly row?: SamplerRow;
  /** Final state only, where the compiled graph gives logits [B, L, V]. */
  readonly logits?: FloatArray;
  /** With logits: how far the best logit of each position is above the second, [B, L]. */
  readonly margins?: FloatArray;
}

/** Generate, yielding tokens after every update and the final ones. Throws what `generate` throws. */
export async function* generateTokens(
  runner: StepRunner,
  options: TokenOptions,
): AsyncGenerator<TokenState, void, undefined> {
  if (runner.openState === undefined) {
    yield* generate(runner, options);
    return;
  }
  const { plan, batch = 1, signal } = options;
  const { length, dim, vocabulary } = runner;
  const of = plan.rows.length + 1;
  const fixed = fixedBatch(options.fixed, batch, length, vocabulary);
  const nothingFixed = new Uint8Array(fixed.mask.length);
  const fixedX = fixed.mask.includes(1) ? await runner.embed(fixed.tokens, batch) : undefined;
  const noise = noiseSource(options.noise ?? 0, batch, runner);
  const start: FloatArray = noise(0).map((value) => plan.initialNoiseScale * value);
  const x =
    fixedX === undefined || options.fixFrom === "first_update"
      ? start
      : overwriteRows(start, fixedX, fixed.mask, dim);
  const state: ResidentState = runner.openState({ batch, plan, x, fixedX });
  try {
    for (const [i, row] of plan.rows.entries()) {
      signal?.throwIfAborted();
      const best = await state.step({
        row,
        noise: row.s === 0 ? undefined : noise(i + 1),
        fixedMask: i === 0 && options.fixFrom === "first_update" ? nothingFixed : fixed.mask,
      });
      const reached: TokenState = { step: i + 1, of, done: false, tokens: overwriteTokens(best, fixed), row };
      if (await options.stop?.(reached)) {
        yield { ...reached, done: true };
        return;
      }
      yield reached;
    }
    signal?.throwIfAborted();
    const { tokens, logits } = await state.final(fixed.mask);
    yield {
      step: of,
      of,
      done: true,
      tokens: overwriteTokens(tokens, fixed),
      ...(logits && { logits, margins: margins(logits, vocabulary) }),
    };
  } finally {
    state.close();
  }
}

/** The last state of a generation; the others are passed over. */
export async function generateTokensToEnd(runner: StepRunner, options: TokenOptions): Promise<TokenState> {
  let last: TokenState | undefined;
  for await (const state of generateTokens(runner, options)) last = state;
  return last ?? bug("a generation ended without a state");
}
