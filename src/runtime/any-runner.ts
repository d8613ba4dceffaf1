// A model on a back end, whatever its state: embeddings (StepRunner), tokens (TokenRunner) or a simplex (SimplexRunner).

import { fail } from "../support/diagnostic.js";
import type { SimplexRunner } from "./simplex/simplex-runner.js";
import type { StepRunner } from "./step-runner.js";
import type { TokenRunner } from "./token-runner.js";

export type Runner = StepRunner | TokenRunner | SimplexRunner;

/** Whether the model's state is one token per position. */
export function isTokenRunner(runner: Runner): runner is TokenRunner {
  return "logits" in runner;
}

/** Whether the model's state is a vector of logits per position. */
export function isSimplexRunner(runner: Runner): runner is SimplexRunner {
  return "predict" in runner;
}

/** The runner of a model with a state of embeddings. Throws `generate/discrete-state` for another. */
export function stepRunnerOf(runner: Runner): StepRunner {
  return isTokenRunner(runner) || isSimplexRunner(runner)
    ? fail("generate/discrete-state", "this model's state is tokens; it has no step on embeddings", {
        help: "use generateTokens, which takes every kind, or decodeTokens",
      })
    : runner;
}

/** The runner of a model with a simplex state. Throws `generate/not-simplex` for another. */
export function simplexRunnerOf(runner: Runner): SimplexRunner {
  return isSimplexRunner(runner)
    ? runner
    : fail("generate/not-simplex", "the plan is one of a simplex, and this model's state is none", {
        help: "use the plan of the model's own manifest or description",
      });
}

/** The runner of a model with a discrete state. Throws `generate/continuous-state` for another. */
export function tokenRunnerOf(runner: Runner): TokenRunner {
  return isTokenRunner(runner)
    ? runner
    : fail("generate/continuous-state", "this model's state is continuous, and the plan is one of tokens", {
        help: "use the plan of the model's own manifest or description",
      });
}
