// The sampling loop of models with a discrete state, shared by every back end. In the order of its sibling for
// continuous states (../driver.ts):
//
//   score    the network's logits at the state as it stands                  (views.ts, block-views.ts)
//   quota    how many positions may settle        ]
//   select   which ones                           ]  the decoder: one file per rule beside this one
//   edit     what they become                     ]
//   renoise  what becomes of the others           ]
//   stop     after the decoder's last update, when `stop` says so, or on abort
//
// Given tokens are never free to change. Blocks are decoded from left to right, each as a generation of its own; where
// settled blocks are kept, a decoder sees the positions of its block alone.

import { drawFrom } from "../../diffusion/discrete/choice.js";
import { seededUniforms, type UniformSource } from "../../diffusion/discrete/draws.js";
import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { maskOf } from "../../diffusion/discrete/token-process.js";
import { fail } from "../../support/diagnostic.js";
import { type FixedTokens, fixedBatch } from "../fixed-positions.js";
import type { EncoderRows } from "../step-runner.js";
import type { TokenRunner } from "../token-runner.js";
import { blocksOf, freeIn, stopped } from "./blocks.js";
import { type Decoders, decoderOf, drawsPerBlock, type Update } from "./decoder.js";
import { mostRevisions } from "./self-correction.js";
import type { OnLogits, OpenViews, Sureness } from "./views.js";

/** Where random numbers come from when they are the caller's own. */
export interface TokenDraws {
  readonly uniform: UniformSource;
  /** The first state, [B, L]; without it masks, or random tokens of draw 0. */
  readonly start?: Int32Array;
  /** The token that draw `draw` gives a position, instead of one by the numbers; undefined for one that it does not. */
  readonly chosen?: (draw: number, row: number, position: number) => number | undefined;
  /** The positions that draw `draw` places, where positions are drawn. */
  readonly places?: (draw: number, row: number, count: number) => readonly number[] | undefined;
}

/** What to generate. */
export interface DecodeOptions {
  readonly plan: TokenPlan;
  /** Number of texts at once; 1 by default. */
  readonly batch?: number;
  /** A seed (0 by default) of the counter generator, or the numbers themselves. */
  readonly noise?: number | bigint | TokenDraws;
  readonly fixed?: FixedTokens;
  /** The output of an encoder, for models that attend to one: what `encoderRows` makes of it. */
  readonly encoder?: EncoderRows;
  /** Stops between two updates by throwing the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Sees the logits [B, n, V] of every call before they are read, and the state [B, n] they belong to; may change them.
   * n is L and `first` 0; with an exact cache they are the n positions from `first` on, those of the block under way (of
   * the last one, some may lie beyond L and mean nothing).
   */
  readonly onLogits?: OnLogits;
  /** Sees the state [B, L] after every update; may change tokens that are not given and, with a cache, not settled. */
  readonly onTokens?: (tokens: Int32Array) => void;
  /** false: with an exact cache the last state has margins alone, and no [B, L, V] logits are kept until then. */
  readonly keepLogits?: boolean;
  /** Ends decoding early. */
  readonly stop?: (state: DecodeState) => boolean | Promise<boolean>;
}

/** Where decoding stands after an update; how sure the network was, in the last state only. */
export interface DecodeState extends Update, Sureness {
  /** 1 after the first update. */
  readonly step: number;
  readonly done: boolean;
  /** 0 for the first block. */
  readonly block: number;
  /** The state, [B, L]: a copy. */
  readonly tokens: Int32Array;
  /** Calls of the network so far. */
  readonly calls: number;
}

/**
 * Decode with one of these decoders on these views of the state, yielding a state after every update, and the last one once more as `done`.
 * Throws `generate/fixed-size`, `generate/fixed-token`, `generate/start-size`, `generate/not-finite`, `sampler/unknown`,
 * the signal's reason, and what the runner throws.
 */
export async function* decodeWith(
  decoders: Decoders,
  runner: TokenRunner,
  options: DecodeOptions,
  openViews: OpenViews,
): AsyncGenerator<DecodeState, void, undefined> {
  const { plan, batch = 1, signal, onLogits, onTokens } = options;
  const { length, vocabulary } = runner;
  const fixed = fixedBatch(options.fixed, batch, length, vocabulary);
  const draws = drawsFrom(options.noise ?? 0, vocabulary);
  const tokens = startTokens(plan, draws, batch, length);
  const giveBack = (): void => {
    for (let i = 0; i < tokens.length; i++) if (fixed.mask[i] === 1) tokens[i] = fixed.tokens[i]!;
  };
  giveBack();

  const blocks = blocksOf(plan.sampler, fixed.mask, batch, length);
  const decoder = decoderOf(plan.sampler, decoders);
  const views = openViews({
    runner: told(runner, options.encoder),
    plan,
    batch,
    tokens,
    given: fixed.mask,
    encoder: options.encoder,
    onLogits,
    keepLogits: options.keepLogits ?? true,
  });
  let last: DecodeState = { of: 0, step: 0, done: false, block: 0, tokens: tokens.slice(), calls: 0 };
  const ended = (): DecodeState => ({ ...last, of: last.step, done: true, ...views.sureness() });
  try {
    for (const [b, own] of blocks.entries()) {
      const free = freeIn(plan, tokens, blocks, b);
      const view = await views.view(free);
      const context = {
        ...view,
        ...(free !== own && { own }),
        plan,
        batch,
        uniform: draws.uniform,
        ...(draws.chosen && { chosen: draws.chosen }),
        ...(draws.places && { places: draws.places }),
        firstDraw: b * drawsPerBlock(plan.rows.length + mostRevisions(plan), length),
      };
      for await (const update of decoder(context)) {
        view.store();
        onTokens?.(tokens);
        giveBack();
        view.load();
        const step = last.step + 1;
        const of = Math.max(update.of * blocks.length, step);
        last = { ...update, of, step, done: false, block: b, tokens: tokens.slice(), calls: views.calls() };
        yield last;
        if (await options.stop?.(last)) {
          yield ended();
          return;
        }
        signal?.throwIfAborted();
      }
      if (b + 1 < blocks.length && stopped(plan.sampler, tokens, blocks.slice(0, b + 1), batch)) {
        const end = plan.sampler.blocks?.stop_tokens?.[0];
        for (const later of end === undefined ? [] : blocks.slice(b + 1))
          for (const [at, free] of later.entries()) if (free === 1) tokens[at] = end!;
        last = { ...last, tokens: tokens.slice() };
        break;
      }
    }
    yield ended();
  } finally {
    views.close();
  }
}

function drawsFrom(noise: number | bigint | TokenDraws, vocabulary: number): TokenDraws {
  return typeof noise === "object" ? noise : { uniform: seededUniforms(noise, vocabulary) };
}

function startTokens(plan: TokenPlan, draws: TokenDraws, batch: number, length: number): Int32Array {
  const { process, firstShare: share } = plan;
  const size = batch * length;
  if (draws.start !== undefined) {
    if (draws.start.length !== size)
      fail(
        "generate/start-size",
        `the first state has ${draws.start.length} tokens, not ${batch} x ${length}`,
      );
    return draws.start.slice();
  }
  const { vocabulary } = process;
  const mask = maskOf(process);
  return Int32Array.from({ length: size }, (_, at) => {
    if (process.kind === "matrix")
      return drawFrom(process.limit, (v) => draws.uniform(0, Math.floor(at / length), at % length, v));
    if (share === 0) return mask!;
    const u = draws.uniform(0, Math.floor(at / length), at % length, 0) / share;
    if (mask === undefined) return Math.floor(u * vocabulary);
    if (u >= 1) return mask;
    const other = Math.floor(u * (vocabulary - 1));
    return other < mask ? other : other + 1;
  });
}

/** The network with an encoder's output beside every call that brings none of its own. */
function told(runner: TokenRunner, encoder: EncoderRows | undefined): TokenRunner {
  return encoder === undefined
    ? runner
    : { ...runner, logits: (inputs) => runner.logits({ encoder, ...inputs }) };
}
