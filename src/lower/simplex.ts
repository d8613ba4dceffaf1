// The network of a simplex state (TESS): logits S f32[B, L, V] enter as the mean embedding under softmax(S), given tokens
// as their own embeddings.

import { type ModelDescription, vocabularySize } from "../description/index.js";
import { Dim } from "../ir/dim.js";
import type { Graph, Value } from "../ir/graph.js";
import { type } from "../ir/type.js";
import { classInput } from "./class-label.js";
import type { GraphContext, Lowering, Scope } from "./context.js";
import { embedProbabilities, embedTokens, lowerTrunkLogits } from "./denoise.js";
import { encoderInput } from "./encoder.js";
import { selfCondition } from "./self-condition.js";

/**
 * @denoise(simplex, level?, self_cond?, fixed_mask?, fixed_tokens?, encoder?, encoder_mask?, class?) -> logits. self_cond are the
 * logits of the call before. Projection and update are the sampling loop's: they draw tokens.
 */
export function denoiseSimplex(lowering: Lowering, description: ModelDescription): Graph {
  const { time_conditioning, self_conditioning, conditioning } = description;
  const c = lowering.graph("denoise");
  const logits = lowering.activation(vocabularySize(description));
  const simplex = c.b.input("simplex", logits);
  const level =
    time_conditioning.injection === "none" ? undefined : c.b.input("level", type("f32", [lowering.batch]));
  const previous = self_conditioning.combine === "none" ? undefined : c.b.input("self_cond", logits);
  const given = conditioning.kind === "none" ? undefined : givenTokens(c, description);
  const encoded = encoderInput(c, description);
  const label = classInput(c, description);

  const x = entering(c, description, simplex, previous);
  const read = given === undefined ? x : overwritten(c, x, given);
  const untimed = conditioning.kind !== "none" && conditioning.time === "free" ? given?.condition : undefined;
  return c.finish({ logits: lowerTrunkLogits(c, description, read, { level, encoded, label, untimed }) });
}

/** softmax(S) E, and the previous prediction in it where the description mixes the two. */
function entering(
  c: GraphContext,
  description: ModelDescription,
  simplex: Value,
  previous: Value | undefined,
): Value {
  const { self_conditioning: self } = description;
  const softmax = (x: Value): Value =>
    c.b.at("/state_space", () => c.b.emit("softmax", { x }, { axis: 2 }, "probabilities"));
  const embedded = (probabilities: Value): Value =>
    c.b.at("/state_space", () => embedProbabilities(c, description, probabilities));
  if (previous === undefined) return embedded(softmax(simplex));
  switch (self.mix) {
    case "logits":
      return embedded(softmax(selfCondition(c, self, simplex, previous)));
    case "probabilities":
      return embedded(selfCondition(c, self, softmax(simplex), softmax(previous)));
    case "embeddings":
      return selfCondition(c, self, embedded(softmax(simplex)), embedded(softmax(previous)));
  }
}

/** Which positions are given, bool[B, L, 1], and the embeddings of their tokens, f32[B, L, d]. */
interface Given {
  readonly condition: Value;
  readonly embedded: Value;
}

function givenTokens(c: GraphContext, description: ModelDescription): Given {
  const { conditioning, embedding } = description;
  const { batch, length } = c.lowering;
  const mask = c.b.input("fixed_mask", type("bool", [batch, length]));
  const tokens = c.b.input("fixed_tokens", type("i32", [batch, length]));
  const own = conditioning.kind === "fixed_positions" && conditioning.table === "own";
  const scope: Scope = { name: "conditioning.", pointer: "/conditioning" };
  return c.b.at(scope.pointer, () => ({
    condition: c.b.emit("reshape", { x: mask }, { shape: [batch, length, Dim.of(1)] }),
    embedded: own
      ? c.b.emit(
          "take",
          {
            table: c.parameter(scope, "table", [vocabularySize(description), embedding.dim], "embedding"),
            indices: tokens,
          },
          {},
          "given",
        )
      : embedTokens(c, description, tokens),
  }));
}

function overwritten(c: GraphContext, x: Value, { condition, embedded }: Given): Value {
  return c.b.at("/conditioning", () => c.b.emit("where", { condition, a: embedded, b: x }, {}, "x_fixed"));
}
