// The list of adaptive filters, whose kernels are made from the data. To add one: a schema fragment, a file here, a line
// here. What is convolved is a circle: y = irfft(G rfft(v)), G the filter's spectrum for this text.

import type { AdaptiveFilter } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";
import { circulantSoftmax } from "./circulant-softmax.js";
import { pooledGate } from "./pooled-gate.js";
import { spectralMagnitude } from "./spectral-magnitude.js";
import type { Streams } from "./streams.js";

type Lowerings = {
  readonly [K in AdaptiveFilter["kind"]]: (
    c: GraphContext,
    scope: Scope,
    streams: Streams,
    filter: Extract<AdaptiveFilter, { kind: K }>,
  ) => Value;
};

const filters: Lowerings = {
  circulant_softmax: circulantSoftmax,
  spectral_magnitude: spectralMagnitude,
  pooled_gate: pooledGate,
};

/** The convolution of v with the kernel that the source makes, f32[B, L, width]. */
export function lowerAdaptive(
  c: GraphContext,
  scope: Scope,
  streams: Streams,
  filter: AdaptiveFilter,
): Value {
  // The table is typed per kind; indexing by a union forgets which.
  const lower = filters[filter.kind] as (
    c: GraphContext,
    scope: Scope,
    streams: Streams,
    filter: AdaptiveFilter,
  ) => Value;
  return c.b.at(scope.pointer, () => lower(c, scope, streams, filter));
}
