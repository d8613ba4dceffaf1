// The runner of a model of tokens on WebGPU: tokens up, logits down, one submit a call. A self-conditioned network finds
// its previous logits where the call before left them; only logits that came from elsewhere are uploaded.

import { classValues } from "../classes.js";
import { previousPort, previousRows } from "../self-conditioning.js";
import type { FloatArray } from "../step-runner.js";
import type { TokenRunner } from "../token-runner.js";
import type { CommandEncoder } from "./gpu.js";
import type { GraphCalls } from "./graph-calls.js";

/** The runner of a model of tokens. */
export function webgpuTokenRunner({ execution, graph, run, ofBatch }: GraphCalls): TokenRunner {
  const denoise = graph("denoise");
  const [, length, vocabulary] = denoise.outputPort("logits")?.shape ?? [];
  const seen = denoise.input(previousPort);
  /** What the last call gave, once it has come down, and how many calls there were. */
  let kept: FloatArray | undefined;
  let calls = 0;
  const keep = (encoder: CommandEncoder): void => {
    const { buffer, offset } = denoise.output("logits");
    if (seen !== undefined) encoder.copyBufferToBuffer(buffer, offset, seen.buffer, seen.offset, seen.bytes);
  };
  return {
    length: length!,
    vocabulary: vocabulary!,
    selfConditioned: seen !== undefined,
    async logits({ batch, tokens, level, previous, classes }) {
      ofBatch(batch);
      const values = {
        tokens,
        level: levelsOf(level, batch),
        ...previousRows(previous, batch),
        ...classValues(classes, denoise.input("class") !== undefined),
        ...(previous && previous.logits !== kept && { [previousPort]: previous.logits }),
      };
      const call = ++calls;
      kept = undefined;
      const [logits] = (await run(denoise, values, ["logits"], undefined, keep)) as [FloatArray];
      if (call === calls) kept = logits;
      return logits;
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
