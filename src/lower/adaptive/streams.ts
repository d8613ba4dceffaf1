// What an adaptive filter is given.

import type { Value } from "../../ir/graph.js";

/** f32[B, L, width] both. */
export interface Streams {
  /** What the kernel is made from. */
  readonly source: Value;
  /** What is convolved with it. */
  readonly v: Value;
}
