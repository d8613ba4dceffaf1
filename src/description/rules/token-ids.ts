// Token ids that a sampler names are those of the vocabulary.

import type { Report } from "../../support/diagnostic.js";
import type { Description } from "../description.js";

/** Checks the tokens that end decoding and those that are never proposed. */
export function checkTokenIds(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  const { sampler, state_space: state } = description;
  if (!("vocab_size" in state)) return;
  const notes = [{ message: "the vocabulary", pointer: "/state_space/vocab_size" }];
  const check = (ids: readonly number[] | undefined, pointer: string): void => {
    for (const [i, id] of (ids ?? []).entries())
      if (id >= state.vocab_size)
        report.error("model/token-id", `${id} is not one of ${state.vocab_size} tokens`, {
          pointer: `${pointer}/${i}`,
          notes,
          help: `tokens are 0 to ${state.vocab_size - 1}`,
        });
  };
  if ("blocks" in sampler) check(sampler.blocks?.stop_tokens, "/sampler/blocks/stop_tokens");
  if (sampler.kind !== "confidence") return;
  check(sampler.suppress_tokens, "/sampler/suppress_tokens");
  const never = new Set(sampler.suppress_tokens.filter((id) => id < state.vocab_size));
  if ("mask_token_id" in state) never.add(state.mask_token_id);
  if (never.size >= state.vocab_size && sampler.suppress_tokens.length > 0)
    report.error("model/all-suppressed", "no token is left that could be proposed", {
      pointer: "/sampler/suppress_tokens",
      notes,
      help: "leave one out",
    });
}
