// A model on a back end, whatever its state: embeddings (StepRunner) or tokens (TokenRunner).

import { fail } from "../support/diagnostic.js";
import type { StepRunner } from "./step-runner.js";
import type { TokenRunner } from "./token-runner.js";

export type Runner = StepRunner | TokenRunner;

/** Whether the model's state is one token per position. */
export function isTokenRunner(runner: Runner): runner is TokenRunner {
  return "logits" in runner;
}

/** The runner of a model with a continuous state. Throws `generate/discrete-state` for another. */
export function stepRunnerOf(runner: Runner): StepRunner {
  return isTokenRunner(runner)
    ? fail("generate/discrete-state", "this model's state is tokens; it has no step on embeddings", {
        help: "use generateTokens, which takes both, or decodeTokens",
      })
    : runner;
}

/** The runner of a model with a discrete state. Throws `generate/continuous-state` for another. */
export function tokenRunnerOf(runner: Runner): TokenRunner {
  return isTokenRunner(runner)
    ? runner
    : fail("generate/continuous-state", "this model's state is embeddings, and the plan is one of tokens", {
        help: "use the plan of the model's own manifest or description",
      });
}
