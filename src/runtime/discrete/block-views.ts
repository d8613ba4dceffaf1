// What a decoder sees of the state where settled blocks are kept: the positions of its block alone, which are all that a
// call of the network computes. Blocks in which nothing is generated are settled on the way.

import type { FloatArray } from "../step-runner.js";
import { guidedViews } from "./guided-views.js";
import { type OpenViews, remembered } from "./views.js";

/** Views of blocks where the sampler keeps settled ones and the runner can; of everything otherwise. */
export const eitherViews: OpenViews = (source) =>
  source.plan.sampler.blocks?.cache === "exact" && source.runner.openBlocks !== undefined
    ? blockViews(source)
    : guidedViews(source);

/** Views of single blocks, for runners that keep settled ones. */
export const blockViews: OpenViews = ({ runner, plan, batch, tokens, onLogits }) => {
  const { length } = runner;
  const session = runner.openBlocks!(batch);
  const { size } = session;
  const state = new Int32Array(batch * size);
  let start = 0;
  let calls = 0;

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
      for (load(); start + size <= free.indexOf(1) % length; load()) {
        await session.settle({ tokens: state, level: [plan.finalRow.level] });
        start += size;
      }
      const open = new Uint8Array(state.length);
      each((at, of) => {
        open[at] = free[of]!;
      });
      const ask = (asked: Int32Array, level: readonly number[]): Promise<FloatArray> => {
        calls++;
        return session.logits({ tokens: asked, level });
      };
      const score = remembered(ask, { tokens: state, batch, onLogits, first: start });
      const store = (): void =>
        each((at, of) => {
          tokens[of] = state[at]!;
        });
      return { tokens: state, free: open, first: start, length: size, score, load, store };
    },
    calls: () => calls,
    sureness: () => ({}),
    close: () => session.close(),
  };
};
