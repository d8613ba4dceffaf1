// What the runner and its resident state share: the bound graphs and how they are submitted.

import type { CommandEncoder } from "./gpu.js";
import type { LoadedGraph, Range } from "./graph.js";
import type { Memory } from "./memory.js";

export type Graphs = ReadonlyMap<string, LoadedGraph>;

/** What the runner and its resident state do with graphs. */
export interface Execution {
  readonly graphs: Graphs;
  readonly memory: Memory;
  /** The graph, or `bundle/missing-graph`. */
  graph(name: string): LoadedGraph;
  /** Encodes, submits once, and reads the ranges back in order. */
  submit(encode: (encoder: CommandEncoder) => void, read: readonly Range[]): Promise<ArrayBuffer[]>;
}
