// What a decoder sees of the state: all positions, each call of the network computing all of them.

import type { TokenPlan } from "../../diffusion/discrete/token-plan.js";
import { checkFinite } from "../finite.js";
import { margins } from "../margins.js";
import type { EncoderRows, FloatArray } from "../step-runner.js";
import type { PreviousLogits, TokenRunner } from "../token-runner.js";
import type { DecodeContext } from "./decoder.js";

/** Sees the logits of a call before they are read, see `DecodeOptions.onLogits`. */
export type OnLogits = (logits: FloatArray, tokens: Int32Array, first: number) => void;

/** How sure the network was, for the last state. With an exact cache NaN behind the last block that was computed. */
export interface Sureness {
  /** The logits of the last call [B, L, V]; with a cache what it would have given. */
  readonly logits?: FloatArray;
  /** How far the best of each position is above the second, [B, L]. */
  readonly margins?: FloatArray;
}

/** The positions that a block is decoded on. */
export interface View
  extends Pick<DecodeContext, "tokens" | "free" | "first" | "length" | "score" | "scoreFree"> {
  /** Takes the view's tokens over into the state. */
  store(): void;
  /** Takes the state's over into the view. */
  load(): void;
}

/** A generation's way to the network. */
export interface Views {
  /** The view of the block with these free positions, [B, L]; blocks come in order. */
  view(free: Uint8Array): Promise<View>;
  /** Calls of the network so far. */
  calls(): number;
  /** What the last state tells of how sure the network was. */
  sureness(): Sureness;
  close(): void;
}

/** What views are made from. */
export interface ViewSource {
  readonly runner: TokenRunner;
  readonly plan: TokenPlan;
  readonly batch: number;
  /** The state, [B, L]. */
  readonly tokens: Int32Array;
  /** 1 where a token is given, [B, L]. */
  readonly given: Uint8Array;
  /** What the runner is told of an encoder with every call that does not say otherwise. */
  readonly encoder: EncoderRows | undefined;
  readonly onLogits: OnLogits | undefined;
  /** Whether logits of settled positions are kept. */
  readonly keepLogits: boolean;
}

export type OpenViews = (source: ViewSource) => Views;

/** One view, of everything. */
export const wholeViews: OpenViews = ({ runner, batch, tokens, onLogits }) => {
  let calls = 0;
  let last: FloatArray | undefined;
  let previous: PreviousLogits | undefined;
  const ask: Ask = async (state, level, temperature = 1) => {
    calls++;
    // A hook may have changed the array that the runner gave.
    if (onLogits && previous) previous = { ...previous, logits: previous.logits.slice() };
    last = await runner.logits({ batch, tokens: state, level, ...(previous && { previous }) });
    previous = { logits: last, temperature };
    return last;
  };
  const again = runner.selfConditioned === true;
  const score = remembered(ask, { tokens, batch, onLogits, first: 0, again });
  return {
    async view(free) {
      // A block is a generation of its own.
      previous = undefined;
      return { tokens, free, first: 0, length: runner.length, score, store() {}, load() {} };
    },
    calls: () => calls,
    sureness: () => (last === undefined ? {} : { logits: last, margins: margins(last, runner.vocabulary) }),
    close() {},
  };
};

/** What a network is asked about. */
interface Asked extends Pick<ViewSource, "tokens" | "batch" | "onLogits"> {
  /** The position of the first token. */
  readonly first: number;
  /** Whether another call may give another answer. */
  readonly again?: boolean;
}

/** One call of the network; it is read at this temperature. */
type Ask = (tokens: Int32Array, level: readonly number[], temperature?: number) => Promise<FloatArray>;

/** The network with its last answer kept: the same state at the same level is not computed twice. */
export function remembered(
  ask: Ask,
  { tokens, batch, onLogits, first, again }: Asked,
): DecodeContext["score"] {
  let key = "";
  let kept: FloatArray | undefined;
  return async (level, temperature) => {
    const levels = typeof level === "number" ? new Array<number>(batch).fill(level) : level;
    const asked = `${tokens};${levels}`;
    if (again || asked !== key || kept === undefined) {
      key = asked;
      const state = tokens.slice();
      kept = await ask(state, levels, temperature);
      checkFinite(kept);
      onLogits?.(kept, state, first);
    }
    return kept;
  };
}
