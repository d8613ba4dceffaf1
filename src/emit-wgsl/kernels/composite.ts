// A group of several anchors that one implementation computes, recognised by its shape as a graph.

import type { Graph } from "../../ir/graph.js";
import type { Implementation } from "../kernel.js";
import type { Environment } from "../limits.js";

export interface Composite {
  readonly name: string;
  /** The pattern, as an equation. */
  readonly summary: string;
  matches(graph: Graph): boolean;
  lower(graph: Graph, environment: Environment): Implementation;
}
