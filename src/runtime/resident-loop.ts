// The loop of driver.ts for those who only want the tokens, on runners that keep the state to themselves: it never comes
// back to the host between steps. A seed gives the same tokens either way.

import { samplerPlanOf } from "../diffusion/plans.js";
import { initialState } from "../diffusion/rows.js";
import { fail } from "../support/diagnostic.js";
import { stepRunnerOf } from "./any-runner.js";
import type { GenerateOptions } from "./driver.js";
import { checkEnd } from "./finite.js";
import { fixedRows, givenRows, overwriteRows, overwriteTokens } from "./fixed-positions.js";
import { margins } from "./margins.js";
import { noiseSource } from "./noise-source.js";
import type { FloatArray, ResidentState, StepRunner } from "./step-runner.js";
import type { Loop, TokenOptions, TokenState } from "./token-state.js";

/** A loop of continuous states, however it runs. */
export type RunSteps = (
  runner: StepRunner,
  options: Omit<TokenOptions, "plan" | "noise"> & Pick<GenerateOptions, "plan" | "noise">,
) => AsyncGenerator<TokenState, void, undefined>;

/** The loop of continuous states that runs so. */
export const stepLoop = (run: RunSteps): Loop => ({
  async *generate(runner, { plan, noise, ...rest }) {
    if (typeof noise === "object")
      fail("generate/noise-kind", "draws of tokens were given for a continuous model", {
        help: "give a seed",
      });
    const options = { ...rest, plan: samplerPlanOf(plan), ...(noise === undefined ? {} : { noise }) };
    yield* run(stepRunnerOf(runner), options);
  },
});

/** The loop with the state on the device. */
export const generateResident: RunSteps = async function* (runner, options) {
  const { plan, batch = 1, signal, encoder } = options;
  const { dim, vocabulary } = runner;
  const of = plan.rows.length + 1;
  const fixed = await fixedRows(runner, options.fixed, batch);
  const nothingFixed = new Uint8Array(fixed.mask.length);
  const fixedX = fixed.x;
  const noise = noiseSource(options.noise ?? 0, batch, runner, plan.truncation);
  const given = fixedX && givenRows(plan, fixedX, noise, dim);
  /** At call k, where it is not as it was before. */
  const renoised = (k: number): FloatArray | undefined =>
    plan.renoised && given?.(k, plan.rows[k] ?? plan.finalRow);
  const start: FloatArray = initialState(plan, noise(0), dim);
  const x =
    given === undefined || options.fixFrom === "first_update"
      ? start
      : overwriteRows(start, given(0, plan.rows[0] ?? plan.finalRow), fixed.mask, dim);
  const state: ResidentState = runner.openState!({
    batch,
    plan,
    x,
    fixedX,
    ...(encoder && { encoder }),
  });
  try {
    for (const [i, row] of plan.rows.entries()) {
      signal?.throwIfAborted();
      const best = await state.step({
        row,
        noise: row.s === 0 ? undefined : noise(i + 1),
        fixedMask: i === 0 && options.fixFrom === "first_update" ? nothingFixed : fixed.mask,
        fixedX: renoised(i),
      });
      const reached: TokenState = { step: i + 1, of, done: false, tokens: overwriteTokens(best, fixed), row };
      if (await options.stop?.(reached)) {
        yield { ...reached, done: true };
        return;
      }
      yield reached;
    }
    signal?.throwIfAborted();
    const { tokens, ...ended } = await state.final(fixed.mask, renoised(plan.rows.length));
    checkEnd(ended);
    yield {
      step: of,
      of,
      done: true,
      tokens: overwriteTokens(tokens, fixed),
      ...ended,
      ...(ended.logits && { margins: margins(ended.logits, vocabulary) }),
    };
  } finally {
    state.close();
  }
};
