// The list of mixers. To add one: a schema fragment, a file here, a line here (docs/add-a-mixer.md).

import type { Mixer } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";
import { lowerAdaptiveConv } from "./adaptive-conv.js";
import { lowerAfno } from "./afno.js";
import { lowerAttention } from "./attention.js";
import { lowerChain, lowerLinear, lowerNorm, lowerParallel } from "./composed.js";
import { lowerConv } from "./conv.js";
import { lowerFnet } from "./fnet.js";
import { lowerGatedRecurrence } from "./gated-recurrence.js";
import { lowerGlobalFilter } from "./global-filter.js";
import { lowerLinearAttention } from "./linear-attention.js";
import { lowerLongConv } from "./long-conv.js";
import { lowerSelectiveSsm } from "./selective-ssm.js";
import { lowerShortConv } from "./short-conv.js";
import { lowerStateSpace } from "./state-space.js";

type Lowerings = {
  readonly [K in Mixer["kind"]]: (
    c: GraphContext,
    scope: Scope,
    x: Value,
    mixer: Extract<Mixer, { kind: K }>,
  ) => Value;
};

const mixers: Lowerings = {
  attention: lowerAttention,
  long_conv: lowerLongConv,
  short_conv: lowerShortConv,
  fnet: lowerFnet,
  afno: lowerAfno,
  global_filter: lowerGlobalFilter,
  adaptive_conv: lowerAdaptiveConv,
  selective_ssm: lowerSelectiveSsm,
  state_space: lowerStateSpace,
  linear_attention: lowerLinearAttention,
  gated_recurrence: lowerGatedRecurrence,
  chain: lowerChain(lowerMixer),
  parallel: lowerParallel(lowerMixer),
  linear: lowerLinear,
  norm: lowerNorm,
  conv: lowerConv,
};

/** y = mixer(x), f32[B, L, width] both; parts of chains and parallel mixers may have other widths. */
export function lowerMixer(c: GraphContext, scope: Scope, x: Value, mixer: Mixer): Value {
  // The table is typed per kind; indexing by a union forgets which.
  const lower = mixers[mixer.kind] as (c: GraphContext, scope: Scope, x: Value, mixer: Mixer) => Value;
  return c.b.at(scope.pointer, () => lower(c, scope, x, mixer));
}
