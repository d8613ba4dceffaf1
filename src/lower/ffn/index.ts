// The table of feed-forward networks: how each kind of description becomes ops.

import type { FeedForward } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";
import { lowerLayers } from "./dense.js";
import { lowerMixture } from "./moe.js";
import { lowerParallel } from "./parallel.js";

/** f32[B, L, width] -> f32[B, L, width], each position for itself; `none` passes x on. */
export function lowerFeedForward(c: GraphContext, scope: Scope, x: Value, ffn: FeedForward): Value {
  switch (ffn.kind) {
    case "none":
      return x;
    case "dense":
    case "glu":
      return lowerLayers(c, scope, x, ffn);
    case "moe":
      return lowerMixture(c, scope, x, ffn, lowerFeedForward);
    case "parallel":
      return lowerParallel(c, scope, x, ffn, lowerFeedForward);
  }
}
