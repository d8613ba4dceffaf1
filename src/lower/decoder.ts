// A decoder of latents: blocks that begin with the latents themselves, or with learned queries that attend to them.

import { type Decoder, decodedLength, listBlocks, type ModelDescription } from "../description/index.js";
import type { Value } from "../ir/graph.js";
import { lowerBlocks } from "./block.js";
import { child, GraphContext, type Scope } from "./context.js";
import { lowerLogits } from "./denoise.js";
import { linearLayers, normalize } from "./layers.js";
import { addPositions } from "./positions.js";
import { noTime } from "./time.js";

const scope: Scope = { name: "decoder.", pointer: "/decoder" };

/** Logits f32[B, L, V] of latents f32[B, N, d]. */
export function lowerDecoder(
  c: GraphContext,
  description: ModelDescription,
  decoder: Decoder,
  latents: Value,
): Value {
  const { in_proj, positions, norm, queries, final_norm } = decoder;
  const read = c.b.at(scope.pointer, () => {
    const projected = linearLayers(c, child(scope, "in_proj", "/in_proj"), latents, in_proj);
    const placed = addPositions(c, scope, projected, positions);
    return normalize(c, child(scope, "norm", "/norm"), placed, norm, "decoded_latents");
  });
  // Positions of what the blocks see are those of the text.
  const length = decodedLength(decoder, c.lowering.sequence);
  const text = new GraphContext(c.lowering.ofLength(length), c.b);
  const input = queries.kind === "none" ? read : learnedQueries(text, queries.dim);
  const h = lowerBlocks(text, scope.name, input, listBlocks(decoder, "/decoder/blocks"), {
    time: noTime,
    encoded: { given: latents, values: read, visible: undefined },
  });
  const out = normalize(text, child(scope, "final_norm", "/final_norm"), h, final_norm, "decoded");
  return lowerLogits(text, description, out);
}

/** The same vectors f32[B, L, dim] for every text. */
function learnedQueries(c: GraphContext, dim: number): Value {
  return c.b.at("/decoder/queries", () =>
    c.b.emit(
      "broadcast",
      { x: c.parameter(scope, "queries", [c.lowering.sequence, dim], "embedding") },
      { shape: c.lowering.activation(dim).shape },
      "queries",
    ),
  );
}
