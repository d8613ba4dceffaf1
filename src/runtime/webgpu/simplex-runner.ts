// The runner of a simplex state on WebGPU: noisy logits up, predicted ones down, one submit a call.

import { classValues } from "../classes.js";
import type { SimplexRunner } from "../simplex/simplex-runner.js";
import type { FloatArray } from "../step-runner.js";
import type { GraphCalls } from "./graph-calls.js";

/** The runner of a simplex state. */
export function webgpuSimplexRunner({ execution, graph, run, ofBatch }: GraphCalls): SimplexRunner {
  const denoise = graph("denoise");
  const [, length, vocabulary] = denoise.outputPort("logits")?.shape ?? [];
  return {
    length: length!,
    vocabulary: vocabulary!,
    async predict({ batch, simplex, previous, level, fixedMask, fixedTokens, classes }) {
      ofBatch(batch);
      const values = {
        simplex,
        self_cond: previous,
        level: new Float32Array(batch).fill(level),
        fixed_mask: fixedMask,
        fixed_tokens: fixedTokens,
        ...classValues(classes, denoise.input("class") !== undefined),
      };
      const [logits] = await run(denoise, values, ["logits"]);
      return logits as FloatArray;
    },
    async dispose() {
      execution.memory.destroy();
    },
  };
}
