// The class of each text, for models that are told one: checked once per generation, and beside every call of the network
// that says no other.

import type { Classed } from "../diffusion/plan.js";
import { fail } from "../support/diagnostic.js";
import { isSimplexRunner, isTokenRunner, type Runner } from "./any-runner.js";
import type { StepRunner } from "./step-runner.js";

/** One class for all texts, or one a text; null: none. */
export type ClassInput = number | null | readonly (number | null)[];

/**
 * The runner with these classes told. Throws `generate/class-unread`, `generate/class-missing`, `generate/class-size` and
 * `generate/class-range`.
 */
export function withClasses(
  runner: Runner,
  { classes: known }: Classed,
  given: ClassInput | undefined,
  batch: number,
): Runner {
  if (known === undefined) {
    if (given == null) return runner;
    return fail("generate/class-unread", "a class is given, and this model is told none", {
      help: "leave the class out",
    });
  }
  const { count, null_class: none } = known;
  const list = Array.isArray(given)
    ? given
    : new Array<number | null>(batch).fill((given ?? null) as number | null);
  if (list.length !== batch)
    fail("generate/class-size", `${list.length} classes are given for ${batch} texts`, {
      help: "give one for all, or one a text",
    });
  const classes = Int32Array.from(list, (label: number | null) => {
    if (label === null)
      return none
        ? count
        : fail("generate/class-missing", "this model is told the class of a text, and none is given", {
            help: `give one of 0 to ${count - 1}: --class N, or { classes } in JavaScript`,
          });
    return Number.isInteger(label) && label >= 0 && label < count
      ? label
      : fail("generate/class-range", `there is no class ${label}`, { help: `classes are 0 to ${count - 1}` });
  });
  return told(runner, classes);
}

/** Classes [B] beside every call that brings none of its own. */
function told(runner: Runner, classes: Int32Array): Runner {
  if (isTokenRunner(runner)) return { ...runner, logits: (inputs) => runner.logits({ classes, ...inputs }) };
  if (isSimplexRunner(runner))
    return { ...runner, predict: (inputs) => runner.predict({ classes, ...inputs }) };
  const { denoise, round, openState } = runner;
  return {
    ...runner,
    step: (inputs) => runner.step({ classes, ...inputs }),
    ...(denoise && {
      denoise: (inputs: Parameters<typeof denoise>[0]) => denoise({ classes, ...inputs }),
    }),
    ...(round && {
      round: (...[x, batch, encoder]: Parameters<typeof round>) => round(x, batch, encoder, classes),
    }),
    ...(openState && {
      openState: (start: Parameters<typeof openState>[0]) => openState({ classes, ...start }),
    }),
  } satisfies StepRunner;
}

/** The input of a graph by its name. Throws `generate/class-missing` where the graph takes it and nothing was told. */
export function classValues(
  classes: Int32Array | undefined,
  takes: boolean,
): { readonly class?: Int32Array } {
  if (!takes) return {};
  return {
    class:
      classes ??
      fail("generate/class-missing", "a graph takes the class of each text, and none is told", {
        help: "run the model through withClasses",
      }),
  };
}

/** No class for every text, in guidance's second call; undefined where the class stays. */
export function noClass({ classes }: Classed, batch: number): Int32Array | undefined {
  return classes?.null_class ? new Int32Array(batch).fill(classes.count) : undefined;
}
