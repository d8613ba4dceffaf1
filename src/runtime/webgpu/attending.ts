// Runners of models that attend to an encoder's output. @encode runs once for each, and what it gives stays on the device
// as inputs of the other graphs.

import { isSimplexRunner, isTokenRunner } from "../any-runner.js";
import { noEncoder } from "../encoder.js";
import { encoderPort } from "../manifest.js";
import type { EncoderRows, StepRunner } from "../step-runner.js";
import { type MakeRunner, runForOthers } from "./graph-calls.js";

/** The runner, with an encoder's output where the graphs take one. */
export const attending =
  (make: MakeRunner): MakeRunner =>
  (calls) => {
    const { graphs, memory } = calls.execution;
    const runner = make(calls);
    const encoder = encoderPort(new Map([...graphs].map(([name, { graph }]) => [name, graph])));
    if (encoder === undefined) return runner;
    let used: EncoderRows | undefined;
    const use = (given: EncoderRows | undefined): void => {
      const rows = given ?? noEncoder();
      if (rows === used) return;
      memory.check();
      for (const to of graphs.values()) {
        to.write("encoder", rows.values);
        to.write("encoder_mask", rows.mask);
      }
      runForOthers(graphs, "encode", memory);
      used = rows;
    };
    if (isTokenRunner(runner))
      return {
        ...runner,
        encoder,
        async logits(inputs) {
          use(inputs.encoder);
          return runner.logits(inputs);
        },
      };
    if (isSimplexRunner(runner))
      return {
        ...runner,
        encoder,
        async predict(inputs) {
          use(inputs.encoder);
          return runner.predict(inputs);
        },
      };
    return { ...runner, encoder, ...withEncoder(runner, use) };
  };

/** The calls of a runner, each with its encoder first. */
function withEncoder(
  runner: StepRunner,
  use: (encoder: EncoderRows | undefined) => void,
): Pick<StepRunner, "step" | "denoise" | "round" | "openState"> {
  const { denoise, round, openState } = runner;
  return {
    async step(inputs) {
      use(inputs.encoder);
      return runner.step(inputs);
    },
    ...(denoise && {
      async denoise(inputs: Parameters<typeof denoise>[0]) {
        use(inputs.encoder);
        return denoise(inputs);
      },
    }),
    ...(round && {
      async round(...[x, batch, encoder, classes]: Parameters<typeof round>) {
        // A head that reads x alone is asked without one.
        if (encoder !== undefined) use(encoder);
        return round(x, batch, undefined, classes);
      },
    }),
    ...(openState && {
      openState(start: Parameters<typeof openState>[0]) {
        use(start.encoder);
        return openState(start);
      },
    }),
  };
}
