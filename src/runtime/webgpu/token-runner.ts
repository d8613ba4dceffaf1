// The runner of a model of tokens on WebGPU: tokens up, logits down, one submit a call.

import type { FloatArray } from "../step-runner.js";
import type { TokenRunner } from "../token-runner.js";
import type { GraphCalls } from "./graph-calls.js";

/** The runner of a model of tokens. */
export function webgpuTokenRunner({ execution, graph, run, ofBatch }: GraphCalls): TokenRunner {
  const denoise = graph("denoise");
  const [, length, vocabulary] = denoise.outputPort("logits")?.shape ?? [];
  return {
    length: length!,
    vocabulary: vocabulary!,
    async logits({ batch, tokens, level }) {
      ofBatch(batch);
      const [logits] = await run(denoise, { tokens, level: levelsOf(level, batch) }, ["logits"]);
      return logits as FloatArray;
    },
    async dispose() {
      execution.memory.destroy();
    },
  };
}

/** One level a row. */
export function levelsOf(level: ArrayLike<number>, batch: number): Float32Array {
  return Float32Array.from({ length: batch }, (_, row) => level[level.length === 1 ? 0 : row]!);
}
