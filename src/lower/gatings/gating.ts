// What a gating of a long convolution is: how many streams it reads and how they multiply around the convolutions.

import type { LongConvMixer } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";

export type Gating = LongConvMixer["gating"];

/** What a gating is given to work with. */
export interface GatingParts {
  readonly c: GraphContext;
  /** The mixer's place; a gating's own parameters stand below it. */
  readonly scope: Scope;
  readonly mixer: LongConvMixer;
  /** The streams of in_proj in stored order, f32[B, L, width] each. */
  readonly streams: readonly Value[];
  /** conv(x, filters.{o}) with its skip term; `ungated` is what x was before its gate. */
  readonly convolve: (o: number, x: Value, ungated?: Value) => Value;
}

export interface GatingLowering<G> {
  /** Number of streams that in_proj makes. */
  readonly streams: (gating: G) => number;
  /** f32[B, L, channels width] of the streams. */
  readonly lower: (parts: GatingParts, gating: G) => Value;
}

/** v by. */
export function gate(c: GraphContext, v: Value, by: Value): Value {
  return c.b.emit("mul", { a: v, b: by }, {}, "gated");
}
