// A convolution whose kernel is made from the mixer's own input (src/lower/adaptive), between two projections.

import type { AdaptiveConvMixer } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import { lowerAdaptive } from "../adaptive/index.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { lastExtent, project } from "../layers.js";

export function lowerAdaptiveConv(c: GraphContext, scope: Scope, x: Value, mixer: AdaptiveConvMixer): Value {
  const width = lastExtent(x);
  const v = project(c, child(scope, "in_proj", "/in_proj"), x, width, mixer.in_proj, "v");
  const y = lowerAdaptive(c, child(scope, "filter", "/filter"), { source: x, v }, mixer.filter);
  return project(c, child(scope, "out_proj", "/out_proj"), y, width, mixer.out_proj);
}
