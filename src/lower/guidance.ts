// Classifier-free guidance of continuous states: the network is called a second time without what is given, and both
// answers are combined (Ho and Salimans 2022).

import type { ModelDescription } from "../description/description.js";
import { type EmptyTokens, emptyText } from "../diffusion/guidance.js";
import { Dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
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
 * logits where x0 follows from them, else on x0. `given`, bool[B, L, 1], says which positions are.
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
  const { x, encoded } = inputs;
  const unconditional = lowerNetwork(c, description, {
    ...inputs,
    x: given === undefined ? x : withoutRows(c, description, x, given),
    encoded: encoded && withoutEncoder(c, description, encoded),
  });
  const { scale: w, form } = guidance;
  const combined = (of: keyof Prediction): Value =>
    c.b.at(pointer, () => {
      const [l, u] = [conditional[of], unconditional[of]];
      const times = (y: Value, factor: number): Value => c.b.emit("scale", { x: y }, { factor });
      const [a, b] =
        form === "difference"
          ? [u, times(c.b.emit("sub", { a: l, b: u }, {}), w + 1)]
          : [times(l, w), times(u, 1 - w)];
      return c.b.emit("add", { a, b }, {}, of);
    });
  if (description.prediction_type.x0_from === "softmax_embedding") {
    const logits = combined("logits");
    return { x0: expectedEmbeddings(c, logits, embeddingTable(c, description)), logits };
  }
  const x0 = combined("x0");
  const ofTrunk = readsTrunk(description.rounding_head);
  return { x0, logits: ofTrunk ? combined("logits") : lowerLogits(c, description, x0) };
}

/** x with zeros where a position is given, or the embeddings of the empty tokens. */
function withoutRows(c: GraphContext, description: ModelDescription, x: Value, given: Value): Value {
  const { b, lowering } = c;
  const empty = guidanceOf(description)?.empty;
  const zero = (): Value => b.emit("literal", {}, { values: [0], shape: [Dim.of(1)] });
  const rows = (of: EmptyTokens): Value => {
    const values = [...emptyText(of, lowering.sequence)];
    const shape = [Dim.of(1), lowering.length];
    return embedTokens(c, description, b.emit("literal", {}, { values, shape, element: "i32" }, "empty"));
  };
  return b.at(pointer, () => {
    const a = empty === undefined ? zero() : rows(empty);
    return b.emit("where", { condition: given, a, b: x }, {}, "x_free");
  });
}
