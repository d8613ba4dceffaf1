// Classifier-free guidance of continuous states: the network is called a second time without what is given, and both
// answers are combined (Ho and Salimans 2022).

import type { ModelDescription } from "../description/description.js";
import { emptyText } from "../diffusion/guidance.js";
import { Dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { withoutClass } from "./class-label.js";
import type { GraphContext } from "./context.js";
import {
  embeddingTable,
  embedTokens,
  expectedEmbeddings,
  lowerLogits,
  lowerNetwork,
  type NetworkInputs,
  type Prediction,
} from "./denoise.js";
import { withoutEncoder } from "./encoder.js";
import { readsTrunk } from "./heads.js";

const pointer = "/sampler/guidance";

/** The description's guidance; undefined where its sampler has none. */
export function guidanceOf({ sampler }: Pick<ModelDescription, "sampler">) {
  return "guidance" in sampler ? sampler.guidance : undefined;
}

/**
 * The network, under guidance if the description has any: difference u + (w + 1) (l - u), mix w l + (1 - w) u, on the
 * logits where x0 follows from them, else on x0. `given`, bool[B, L, 1], says which positions are; the second call knows
 * neither their rows nor what was predicted there (ELF).
 */
export function lowerGuided(
  c: GraphContext,
  description: ModelDescription,
  inputs: NetworkInputs,
  given: Value | undefined,
): Prediction {
  const guidance = guidanceOf(description);
  const conditional = lowerNetwork(c, description, inputs);
  if (guidance === undefined) return conditional;
  const { x, previous, encoded, label } = inputs;
  const unconditional = lowerNetwork(c, description, {
    ...inputs,
    ...(given !== undefined && {
      x: withoutRows(c, x, given, emptyRows(c, description)),
      previous: previous && withoutRows(c, previous, given, zero(c)),
    }),
    encoded: encoded && withoutEncoder(c, description, encoded),
    label: label && withoutClass(c, description, label),
  });
  const { scale: w, form } = guidance;
  const combined = (name: string, l: Value, u: Value): Value =>
    c.b.at(pointer, () => {
      const times = (y: Value, factor: number): Value => c.b.emit("scale", { x: y }, { factor });
      const [a, b] =
        form === "difference"
          ? [u, times(c.b.emit("sub", { a: l, b: u }, {}), w + 1)]
          : [times(l, w), times(u, 1 - w)];
      return c.b.emit("add", { a, b }, {}, name);
    });
  const predicted = (): Value => combined("x0", conditional.x0, unconditional.x0);
  const [l, u] = [conditional.logits, unconditional.logits];
  if (l === undefined || u === undefined) return { x0: predicted(), logits: undefined };
  if (description.prediction_type.x0_from === "softmax_embedding") {
    const logits = combined("logits", l, u);
    return { x0: expectedEmbeddings(c, logits, embeddingTable(c, description)), logits };
  }
  const x0 = predicted();
  const ofTrunk = readsTrunk(description.rounding_head);
  return { x0, logits: ofTrunk ? combined("logits", l, u) : lowerLogits(c, description, x0) };
}

/** x with other rows where a position is given. */
function withoutRows({ b }: GraphContext, x: Value, given: Value, rows: Value): Value {
  return b.at(pointer, () => b.emit("where", { condition: given, a: rows, b: x }, {}, "x_free"));
}

function zero({ b }: GraphContext): Value {
  return b.at(pointer, () => b.emit("literal", {}, { values: [0], shape: [Dim.of(1)] }));
}

/** What stands at given positions of the state: zeros, or the embeddings of the empty tokens, f32[1, L, d]. */
function emptyRows(c: GraphContext, description: ModelDescription): Value {
  const empty = guidanceOf(description)?.empty;
  if (empty === undefined) return zero(c);
  const { sequence, length } = c.lowering;
  const tokens = c.b.at(pointer, () =>
    c.b.emit(
      "literal",
      {},
      { values: [...emptyText(empty, sequence)], shape: [Dim.of(1), length], element: "i32" },
      "empty",
    ),
  );
  return embedTokens(c, description, tokens);
}
