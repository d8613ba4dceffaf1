// A runner around a runner: what every call of the network is told passes through a function first.

import type { Runner } from "./any-runner.js";
import type { EncoderRows, StepRunner } from "./step-runner.js";

/** What a call is told beside the state. */
export interface Told {
  readonly encoder?: EncoderRows;
  readonly classes?: Int32Array;
}

/** Methods of runners that take one object; `round` takes a list. */
const calls = ["logits", "predict", "step", "denoise", "openState"] as const;
type Name = (typeof calls)[number] | "round";

/** The runner with what `each` makes of a call's inputs in their place. */
export function eachCall(runner: Runner, each: <T extends Told>(inputs: T, name: Name) => T): Runner {
  const own = runner as Partial<Record<Name, (inputs: object) => unknown>>;
  const methods = calls.flatMap((name) => {
    const call = own[name];
    if (call === undefined) return [];
    const around = (inputs: object): unknown => call(each(inputs, name));
    // What `each` throws is a rejection, where the call gives a promise.
    return [[name, name === "openState" ? around : async (inputs: object) => around(inputs)]];
  });
  const { round } = runner as Partial<StepRunner>;
  return {
    ...runner,
    ...Object.fromEntries(methods),
    ...(round && {
      async round(...[x, batch, encoder, classes]: Parameters<typeof round>) {
        const told: Told = each({ ...(encoder && { encoder }), ...(classes && { classes }) }, "round");
        return round(x, batch, told.encoder, told.classes);
      },
    }),
  };
}
