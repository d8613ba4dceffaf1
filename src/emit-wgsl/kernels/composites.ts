// Groups of several anchors that one implementation computes: recognised by their shape as a graph.

import type { Graph } from "../../ir/graph.js";
import type { Environment } from "../group.js";
import type { Implementation } from "../kernel.js";
import { headComposite } from "./head.js";

export interface Composite {
  readonly name: string;
  /** The pattern, as an equation. */
  readonly summary: string;
  matches(graph: Graph): boolean;
  lower(graph: Graph, environment: Environment): Implementation;
}

export const composites: readonly Composite[] = [headComposite];
