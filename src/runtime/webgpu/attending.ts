// Runners of models that attend to an encoder's output. @encode runs once for each, and what it gives stays on the device
// as inputs of the other graphs.

import { eachCall } from "../each-call.js";
import { noEncoder } from "../encoder.js";
import { encoderPort } from "../manifest.js";
import type { EncoderRows } from "../step-runner.js";
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
    const attended = eachCall(runner, (inputs, name) => {
      // A head that reads x alone is asked without one.
      if (name !== "round" || inputs.encoder !== undefined) use(inputs.encoder);
      return inputs;
    });
    return { ...attended, encoder };
  };
