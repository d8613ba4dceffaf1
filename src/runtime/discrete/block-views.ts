// What a decoder sees of the state where settled positions are kept: those of the block under way, which are all that a
// call of the network computes. Positions before a block's first open one settle on the way, as far as they can.

import { settlingOf } from "../../diffusion/discrete/cached-blocks.js";
import type { FloatArray } from "../step-runner.js";
import { blockSureness } from "./block-sureness.js";
import { guidedBlocks } from "./guided-blocks.js";
import { guidedViews } from "./guided-views.js";
import { type OpenViews, remembered } from "./views.js";

/** Views of blocks where the sampler keeps settled ones and the runner can; of everything otherwise. */
export const eitherViews: OpenViews = (source) =>
  source.plan.sampler.blocks?.cache === "exact" && source.runner.openBlocks !== undefined
    ? blockViews(source)
    : guidedViews(source);

/** Views of single blocks, for runners that keep settled ones. */
export const blockViews: OpenViews = (source) => {
  const { runner, plan, batch, tokens, onLogits } = source;
  const { length } = runner;
  const { session, free: unguided } = guidedBlocks(source);
  const { size } = session;
  const { blocks } = plan.sampler;
  const unit = blocks === undefined ? size : settlingOf(blocks);
  const state = new Int32Array(batch * size);
  const sure = blockSureness(source, size);
  let start = 0;
  let calls = 0;
  let last: FloatArray | undefined;

  // Positions of the last block beyond L are never free, and what stands there is nobody's.
  /** Every position of the block that is one of the text: its place in the view, and in the text. */
  const each = (visit: (inView: number, inText: number) => void): void => {
    for (let at = 0; at < state.length; at++) {
      const position = start + (at % size);
      if (position < length) visit(at, Math.floor(at / size) * length + position);
    }
  };
  const load = (): void =>
    each((at, of) => {
      state[at] = tokens[of]!;
    });

  return {
    async view(free) {
      const settled = Math.floor(firstOpen(free, length) / unit) * unit;
      for (load(); start < settled; load()) {
        const count = Math.min(size, settled - start);
        const logits = await session.settle({ tokens: state, level: [plan.finalRow.level] }, count);
        sure.take(logits, start, count);
        start += count;
      }
      const open = new Uint8Array(state.length);
      each((at, of) => {
        open[at] = free[of]!;
      });
      last = undefined;
      const ask = async (asked: Int32Array, level: readonly number[]): Promise<FloatArray> => {
        calls++;
        last = await session.logits({ tokens: asked, level });
        return last;
      };
      const asked = { tokens: state, batch, onLogits, first: start };
      const score = remembered(ask, asked);
      const scoreFree = unguided && remembered((tokens, level) => unguided.logits({ tokens, level }), asked);
      const store = (): void =>
        each((at, of) => {
          tokens[of] = state[at]!;
        });
      return {
        tokens: state,
        free: open,
        first: start,
        length: size,
        score,
        load,
        store,
        ...(scoreFree && { scoreFree }),
      };
    },
    calls: () => calls,
    sureness() {
      if (last !== undefined) sure.take(last, start, size);
      return sure.all();
    },
    close: () => session.close(),
  };
};

/** The least position that is free in a row. */
function firstOpen(free: Uint8Array, length: number): number {
  return free.reduce((least, open, at) => (open === 1 ? Math.min(least, at % length) : least), length);
}
