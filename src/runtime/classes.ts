// The class of each text, for models that are told one: checked once per generation, and beside every call of the network
// that says no other.

import type { Classed } from "../diffusion/plan.js";
import { fail } from "../support/diagnostic.js";
import type { Runner } from "./any-runner.js";
import { eachCall } from "./each-call.js";

/** One class for all texts, or one a text; null: none. */
export type ClassInput = number | null | readonly (number | null)[];

/** The runner with these classes told. Throws `generate/class-unread` and `generate/class-range`. */
export function withClasses(
  runner: Runner,
  { classes: known }: Classed,
  given: ClassInput | undefined,
  batch: number,
): Runner {
  if (known === undefined) {
    if (given == null) return runner;
    return fail("generate/class-unread", "a class is given, and this model is told none");
  }
  const { count, null_class: none } = known;
  const list = Array.isArray(given) ? given : new Array(batch).fill(given ?? null);
  const classes = list.map((label: number | null) => (label === null && none ? count : label));
  const fits = (label: number | null): boolean =>
    Number.isInteger(label) && label! >= 0 && label! < count + Number(none);
  if (list.length !== batch || list.includes(count) || !classes.every(fits))
    fail("generate/class-range", `the class ${JSON.stringify(given ?? null)} does not fit`, {
      help: `give one of 0 to ${count - 1} for all texts, or a list of ${batch}: --class N, or { classes }`,
    });
  const told = Int32Array.from(classes);
  return eachCall(runner, (inputs) => ({ classes: told, ...inputs }));
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
      fail("generate/class-missing", "a graph is told the class of each text", {
        help: "run the model through withClasses",
      }),
  };
}

/** No class for every text, in guidance's second call; undefined where the class stays. */
export function noClass({ classes }: Classed, batch: number): Int32Array | undefined {
  return classes?.null_class ? new Int32Array(batch).fill(classes.count) : undefined;
}
