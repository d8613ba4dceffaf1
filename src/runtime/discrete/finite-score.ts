// A view's network that refuses to answer with what is no number.

import { checkFinite } from "../finite.js";
import type { DecodeContext } from "./decoder.js";
import type { View } from "./views.js";

/** The network; throws `generate/not-finite` where a free position has a logit that is NaN or +infinity. */
export function finiteScores(
  { score, scoreFree, free, first, length }: View,
  vocabulary: number,
): Pick<DecodeContext, "score" | "scoreFree"> {
  const checked =
    (ask: DecodeContext["score"]): DecodeContext["score"] =>
    async (level, temperature) => {
      const logits = await ask(level, temperature);
      for (const [at, open] of free.entries())
        if (open === 1)
          checkFinite(
            logits.subarray(at * vocabulary, (at + 1) * vocabulary),
            `the network's output at position ${first + (at % length)}`,
          );
      return logits;
    };
  return { score: checked(score), ...(scoreFree && { scoreFree: checked(scoreFree) }) };
}
