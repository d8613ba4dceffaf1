// One form for what can be written in several ways: identities vanish, pairs that undo or repeat each other become
// one op. Every rule keeps the value (sums of constants may round differently in the last place of float64).

import type { Module } from "../ir/graph.js";
import { rewriteModule } from "../ir/rewrite.js";
import { bug } from "../support/diagnostic.js";
import { arithmeticRules } from "./canonicalise/arithmetic.js";
import { sliceRules } from "./canonicalise/slices.js";
import { viewRules } from "./canonicalise/views.js";
import type { Pass } from "./pass.js";
import { withoutDeadOps } from "./remove-dead.js";

const rules = [...arithmeticRules, ...viewRules, ...sliceRules];

/** Every rule removes an op or makes one simpler, so this many rounds are never reached. */
const mostRounds = 1000;

export const canonicalise: Pass = {
  name: "canonicalise",
  summary: "remove identities and pairs of ops that undo each other",
  run(module) {
    let current: Module = module;
    for (let round = 0; round < mostRounds; round++) {
      const next = withoutDeadOps(rewriteModule(current, "canonicalise", rules));
      if (next === current) return current;
      current = next;
    }
    return bug("canonicalise does not come to an end");
  },
};
