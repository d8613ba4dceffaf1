// The sampler loop of Gaussian (continuous-state) models, shared by every back end. It walks a SamplerPlan:
//
//   score    the network predicts x0 at the current level                  (runner.step)
//   quota    how many positions may settle: all of them, for a Gaussian state
//   select   which ones: those that are not given
//   edit     given positions are overwritten with clean embeddings
//   renoise  x_next = a x0 + b x + c x0_prev + s noise                     (runner.step)
//   stop     after the last row, or when `stop` says so, or on abort
//
// Decoders of discrete models fill quota, select and renoise differently and keep the order and the states.

import { initialState, type SamplerPlan, type SamplerRow } from "../diffusion/rows.js";
import { fail } from "../support/diagnostic.js";
import { checkEnd } from "./finite.js";
import { type FixedTokens, fixedRows, givenRows, overwriteRows, overwriteTokens } from "./fixed-positions.js";
import { margins } from "./margins.js";
import { noiseSource } from "./noise-source.js";
import type { Decoded, EncoderRows, FloatArray, NoiseSource, StepInputs, StepRunner } from "./step-runner.js";

/** What to generate. */
export interface GenerateOptions {
  readonly plan: SamplerPlan;
  /** Number of texts at once; 1 by default. */
  readonly batch?: number;
  /** Where noise comes from: a seed (0 by default) of the counter generator, or the numbers themselves. */
  readonly noise?: number | bigint | NoiseSource;
  /** Given tokens, one row for all or one per row of the batch. */
  readonly fixed?: FixedTokens;
  /**
   * When given positions are first overwritten: before the network's first call (default), or only after the
   * first update, as Diffusion-LM's infilling does.
   */
  readonly fixFrom?: "start" | "first_update";
  /** The output of an encoder, for models that attend to one: what `encoderRows` makes of it. */
  readonly encoder?: EncoderRows;
  /** Stops between two steps by throwing the signal's reason. */
  readonly signal?: AbortSignal;
  /** Sees every update before it is made and may replace what it takes. */
  readonly beforeStep?: (inputs: StepInputs) => StepInputs | undefined | Promise<StepInputs | undefined>;
  /** Ends sampling early: the tokens are then those of the state it answered `true` to. */
  readonly stop?: (state: GenerationState) => boolean | Promise<boolean>;
}

/** Where a generation stands after a step. Arrays are the driver's: read them, or copy before changing. */
export interface GenerationState {
  /** 1 after the first update; equals `of` in the last state. */
  readonly step: number;
  /** The plan's updates and the final call. */
  readonly of: number;
  readonly done: boolean;
  /** The best tokens so far, [B, L]; of latents there are none before the final state, and then those of a decoder. */
  readonly tokens: Int32Array;
  /** The state, [B, L, d]. */
  readonly x: FloatArray;
  /** The prediction of the step, [B, L, d]. */
  readonly x0: FloatArray;
  /** The row of the plan that led here; absent in the final state. */
  readonly row?: SamplerRow;
  /** Final state only, of latents: as the autoencoder made them, [B, L, d]. */
  readonly latents?: FloatArray;
  /** Final state only: logits [B, L, V]. */
  readonly logits?: FloatArray;
  /** Final state only: how far the best logit of each position is above the second, [B, L]. */
  readonly margins?: FloatArray;
}

/**
 * Generate, yielding a state after every update and one more, `done`, with the final tokens.
 * Throws `generate/fixed-size`, `generate/fixed-token`, `generate/fixed-latents`, `generate/noise-size`, `generate/not-finite`,
 * `generate/no-final` (the model lacks the graph that the plan ends with), the signal's reason, and what the runner throws.
 */
export async function* generate(
  runner: StepRunner,
  options: GenerateOptions,
): AsyncGenerator<GenerationState, void, undefined> {
  const { plan, batch = 1, signal, encoder } = options;
  const { length, dim } = runner;
  const size = batch * length * dim;
  const of = plan.rows.length + 1;
  const fixed = await fixedRows(runner, options.fixed, batch);
  const fixedX = fixed.x ?? new Float32Array(size);
  const nothingFixed = new Uint8Array(fixed.mask.length);
  const noise = noiseSource(options.noise ?? 0, batch, runner, plan.truncation);
  const silence = new Float32Array(size);
  const given = givenRows(plan, fixedX, noise, dim);
  const givenAfter = (step: number): FloatArray => given(step + 1, plan.rows[step + 1] ?? plan.finalRow);

  let x: FloatArray = initialState(plan, noise(0), dim);
  let x0: FloatArray = silence;
  if (options.fixFrom !== "first_update") x = overwriteRows(x, givenAfter(-1), fixed.mask, dim);

  for (const [i, row] of plan.rows.entries()) {
    signal?.throwIfAborted();
    const inputs: StepInputs = {
      batch,
      x,
      previousX0: x0,
      noise: row.s === 0 ? silence : noise(i + 1),
      row,
      fixedMask: i === 0 && options.fixFrom === "first_update" ? nothingFixed : fixed.mask,
      fixedX: given(i, row),
      ...(encoder && { encoder }),
    };
    const next = await runner.step((await options.beforeStep?.(inputs)) ?? inputs);
    x = overwriteRows(next.x, givenAfter(i), fixed.mask, dim);
    x0 = next.x0;
    const tokens = overwriteTokens(next.tokens, fixed);
    const state: GenerationState = { step: i + 1, of, done: false, tokens, x, x0, row };
    if (await options.stop?.(state)) {
      yield { ...state, done: true };
      return;
    }
    yield state;
  }

  signal?.throwIfAborted();
  const { tokens, ...ended } = await final(runner, plan, {
    batch,
    x,
    previousX0: x0,
    fixedMask: fixed.mask,
    ...(encoder && { encoder }),
  });
  checkEnd(ended);
  yield {
    step: of,
    of,
    done: true,
    tokens: overwriteTokens(tokens, fixed),
    x,
    x0,
    ...ended,
    ...(ended.logits && { margins: margins(ended.logits, runner.vocabulary) }),
  };
}

/** The last state of a generation; the others are passed over. */
export async function generateToEnd(runner: StepRunner, options: GenerateOptions): Promise<GenerationState> {
  let last: GenerationState | undefined;
  for await (const state of generate(runner, options)) last = state;
  // A generation that does not throw yields its `done` state last.
  return last!;
}

function final(
  runner: StepRunner,
  plan: SamplerPlan,
  state: Pick<StepInputs, "batch" | "x" | "previousX0" | "fixedMask" | "encoder">,
): Promise<Omit<Decoded, "latents"> & Partial<Decoded>> {
  if (plan.final === "decode" && runner.decode !== undefined) return runner.decode(state.x, state.batch);
  if (plan.final === "round" && runner.round !== undefined)
    return runner.round(state.x, state.batch, state.encoder);
  if (plan.final === "denoise" && runner.denoise !== undefined && plan.finalRow !== undefined)
    return runner.denoise({ ...state, point: plan.finalRow });
  return fail(
    "generate/no-final",
    `the sampler ends with @${plan.final}, which this model was built without`,
    {
      help: `compile it again with the graph "${plan.final}"`,
    },
  );
}
