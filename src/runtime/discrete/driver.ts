// The sampling loop of models with a discrete state, shared by every back end. In the order of its sibling for
// continuous states (../driver.ts):
//
//   score    the network's logits at the state as it stands                  (TokenRunner.logits)
//   quota    how many positions may settle        ]
//   select   which ones                           ]  the decoder: one file per rule beside this one
//   edit     what they become                     ]
//   renoise  what becomes of the others           ]
//   stop     after the decoder's last update, when `stop` says so, or on abort
//
// Given tokens are never free to change. Blocks are decoded from left to right, each as a generation of its own.

import { seededUniforms, type UniformSource } from "../../diffusion/discrete/draws.js";
import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { fail } from "../../support/diagnostic.js";
import { type FixedTokens, fixedBatch } from "../fixed-positions.js";
import { margins } from "../margins.js";
import type { EncoderRows, FloatArray } from "../step-runner.js";
import type { TokenRunner } from "../token-runner.js";
import { blocksOf, stopped } from "./blocks.js";
import { type Decoders, decoderOf, drawsPerBlock, type Update } from "./decoder.js";

/** Where random numbers come from when they are the caller's own. */
export interface TokenDraws {
  readonly uniform: UniformSource;
  /** The first state, [B, L]; without it masks, or uniform tokens of draw 0. */
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
  /** Sees the logits [B, L, V] of every call before they are read, and the state they belong to; may change them. */
  readonly onLogits?: (logits: FloatArray, tokens: Int32Array) => void;
  /** Sees the state after every update; may change tokens that are not given. */
  readonly onTokens?: (tokens: Int32Array) => void;
  /** Ends decoding early. */
  readonly stop?: (state: DecodeState) => boolean | Promise<boolean>;
}

/** Where decoding stands after an update. */
export interface DecodeState extends Update {
  /** 1 after the first update. */
  readonly step: number;
  readonly done: boolean;
  /** 0 for the first block. */
  readonly block: number;
  /** The state, [B, L]: a copy. */
  readonly tokens: Int32Array;
  /** Calls of the network so far. */
  readonly calls: number;
  /** Last state only: the logits of the last call [B, L, V], and how far the best of each position is above the second. */
  readonly logits?: FloatArray;
  readonly margins?: FloatArray;
}

/**
 * Decode with one of these decoders, yielding a state after every update, and the last one once more as `done`.
 * Throws `generate/fixed-size`, `generate/fixed-token`, `generate/start-size`, `sampler/unknown`, the signal's reason,
 * and what the runner throws.
 */
export async function* decodeWith(
  decoders: Decoders,
  runner: TokenRunner,
  options: DecodeOptions,
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

  const memory = remembered(guided(told(runner, options.encoder), plan, fixed.mask), tokens, batch, onLogits);
  const blocks = blocksOf(plan.sampler, fixed.mask, batch, length);
  const decoder = decoderOf(plan.sampler, decoders);
  let last: DecodeState = {
    of: 0,
    step: 0,
    done: false,
    block: 0,
    tokens: tokens.slice(),
    calls: 0,
  };
  for (const [b, free] of blocks.entries()) {
    const context = {
      plan,
      batch,
      length,
      tokens,
      free,
      uniform: draws.uniform,
      ...(draws.chosen && { chosen: draws.chosen }),
      ...(draws.places && { places: draws.places }),
      firstDraw: b * drawsPerBlock(plan.rows.length, length),
      score: memory.score,
    };
    for await (const update of decoder(context)) {
      onTokens?.(tokens);
      giveBack();
      const step = last.step + 1;
      const of = Math.max(update.of * blocks.length, step);
      last = { ...update, of, step, done: false, block: b, tokens: tokens.slice(), calls: memory.calls() };
      yield last;
      if (await options.stop?.(last)) {
        yield ended(last, memory.last(), vocabulary);
        return;
      }
      signal?.throwIfAborted();
    }
    if (b + 1 < blocks.length && stopped(plan.sampler, tokens, blocks.slice(0, b + 1), batch)) {
      const end = plan.sampler.blocks!.stop_tokens![0]!;
      for (const later of blocks.slice(b + 1))
        for (const [at, free] of later.entries()) if (free === 1) tokens[at] = end;
      last = { ...last, tokens: tokens.slice() };
      break;
    }
  }
  yield ended(last, memory.last(), vocabulary);
}

/** The last state: where decoding stands, and how sure the network was at its last call. */
function ended(last: DecodeState, logits: FloatArray | undefined, vocabulary: number): DecodeState {
  return {
    ...last,
    of: last.step,
    done: true,
    ...(logits && { logits, margins: margins(logits, vocabulary) }),
  };
}

function drawsFrom(noise: number | bigint | TokenDraws, vocabulary: number): TokenDraws {
  return typeof noise === "object" ? noise : { uniform: seededUniforms(noise, vocabulary) };
}

function startTokens({ process }: TokenPlan, draws: TokenDraws, batch: number, length: number): Int32Array {
  const size = batch * length;
  if (draws.start !== undefined) {
    if (draws.start.length !== size)
      fail(
        "generate/start-size",
        `the first state has ${draws.start.length} tokens, not ${batch} x ${length}`,
      );
    return draws.start.slice();
  }
  if (process.kind === "absorbing") return new Int32Array(size).fill(process.mask);
  return Int32Array.from({ length: size }, (_, at) =>
    Math.floor(draws.uniform(0, Math.floor(at / length), at % length, 0) * process.vocabulary),
  );
}

/** The network with an encoder's output beside every call. */
function told(runner: TokenRunner, encoder: EncoderRows | undefined): TokenRunner {
  return encoder === undefined
    ? runner
    : { ...runner, logits: (inputs) => runner.logits({ ...inputs, encoder }) };
}

/** The network under classifier-free guidance: its answer with the given tokens and, masked, without them. */
function guided(runner: TokenRunner, { sampler, process }: TokenPlan, given: Uint8Array): TokenRunner {
  const { guidance } = sampler;
  if (guidance === undefined || process.kind !== "absorbing") return runner;
  const { scale: w, form = "difference" } = guidance;
  return {
    ...runner,
    async logits(inputs) {
      const conditional = Float64Array.from(await runner.logits(inputs));
      const tokens = inputs.tokens.map((token, at) => (given[at] === 1 ? process.mask : token));
      const free = await runner.logits({ ...inputs, tokens });
      return conditional.map((l, at) => {
        const u = free[at]!;
        return form === "difference" ? u + (w + 1) * (l - u) : w * l + (1 - w) * u;
      });
    },
  };
}

/** The network with its last answer kept: the same state at the same level is not computed twice. */
function remembered(
  runner: TokenRunner,
  tokens: Int32Array,
  batch: number,
  onLogits: DecodeOptions["onLogits"],
) {
  let key: { readonly tokens: Int32Array; readonly level: readonly number[] } | undefined;
  let kept: FloatArray | undefined;
  let calls = 0;
  return {
    calls: () => calls,
    last: () => kept,
    async score(level: number | readonly number[]): Promise<FloatArray> {
      const levels = typeof level === "number" ? new Array<number>(batch).fill(level) : level;
      const same =
        key?.level.every((value, i) => value === levels[i]) &&
        key.tokens.every((token, i) => token === tokens[i]);
      if (!same || kept === undefined) {
        key = { tokens: tokens.slice(), level: levels };
        kept = await runner.logits({ batch, tokens: key.tokens, level: levels });
        calls++;
        onLogits?.(kept, key.tokens);
      }
      return kept;
    },
  };
}
