// The runner of a simplex state on ONNX Runtime.

import { classValues } from "./classes.js";
import { encoderValues } from "./encoder.js";
import { type OpenGraphs, takesClass } from "./onnx-graphs.js";
import { floatsOf } from "./ort-tensor.js";
import type { SimplexRunner } from "./simplex/simplex-runner.js";

/** The runner of a model of a simplex state. */
export function onnxSimplexRunner({
  need,
  port,
  known,
  run,
  length,
  encoder,
  dispose,
}: OpenGraphs): SimplexRunner {
  const denoise = need("denoise");
  const { shape } = port(denoise.graph.outputs, "logits");
  return {
    length: known(typeof shape[1] === "number" ? shape[1] : length, "sequence length"),
    vocabulary: known(shape[2], "vocabulary"),
    ...(encoder && { encoder }),
    async predict({ batch, simplex, previous, level, fixedMask, fixedTokens, encoder, classes }) {
      const values = {
        simplex,
        self_cond: previous,
        level: Float64Array.of(level),
        fixed_mask: fixedMask,
        fixed_tokens: fixedTokens,
        ...encoderValues(encoder),
        ...classValues(classes, takesClass(denoise)),
      };
      return floatsOf((await run(denoise, values, batch)).logits!);
    },
    dispose,
  };
}
