// The network of a generation that keeps settled positions: one session, or under classifier-free guidance two, of which
// the second reads every text without its given tokens.

import { combination } from "../../diffusion/guidance.js";
import { unconditional } from "../guidance.js";
import type { BlockInputs, BlockSession } from "../token-runner.js";
import { emptyOf } from "./guided-views.js";
import type { ViewSource } from "./views.js";

/** The sessions of a generation as one. */
export interface GuidedBlocks {
  /** Answers with what is given, guided where guidance is of predictions. */
  readonly session: BlockSession;
  /** Answers without, where guidance is of the step; `session` settles for both. */
  readonly free?: Pick<BlockSession, "logits">;
}

/** Opens the sessions of a generation. */
export function guidedBlocks(source: ViewSource): GuidedBlocks {
  const { runner, plan, batch } = source;
  const { guidance } = plan.sampler;
  if (guidance === undefined) return { session: runner.openBlocks!(batch, 1)[0]! };
  const [own, free] = runner.openBlocks!(batch, 2) as readonly [BlockSession, BlockSession];
  const { size } = own;
  const combine = combination(guidance);
  const ofStep = guidance.of === "step";
  const without = withoutGiven(source, size);
  let start = 0;
  const mixed = async (ask: (session: BlockSession, of: typeof without) => Promise<ArrayLike<number>>) => {
    // A back end may give the same array twice.
    const conditional = Float64Array.from(await ask(own, (inputs) => inputs));
    const unguided = await ask(free, without);
    return ofStep ? conditional : conditional.map((l, at) => combine(l, unguided[at]!));
  };
  const session: BlockSession = {
    size,
    logits: (inputs) => (ofStep ? own.logits(inputs) : mixed((one, of) => one.logits(of(inputs, start)))),
    async settle(inputs, count) {
      const logits = await mixed((one, of) => one.settle(of(inputs, start), count));
      start += count;
      return logits;
    },
    close() {
      own.close();
      free.close();
    },
  };
  return { session, ...(ofStep && { free: { logits: (inputs) => free.logits(without(inputs, start)) } }) };
}

/** A block's tokens from `start` on with what stands for given ones in their places. */
function withoutGiven({ runner: { length }, plan, given }: ViewSource, size: number) {
  const empty = emptyOf(plan);
  const { tokens, mask } = unconditional({ given, empty, encoder: undefined }, length);
  const instead = tokens(new Int32Array(given.length));
  return (inputs: BlockInputs, start: number): BlockInputs => {
    if (empty === undefined) return inputs;
    const own = inputs.tokens.map((token, at) => {
      const position = start + (at % size);
      const place = Math.floor(at / size) * length + position;
      return position < length && mask[place] === 1 ? instead[place]! : token;
    });
    return { ...inputs, tokens: own };
  };
}
