// What is checked against the reference: anything that runs a graph of a module.

import type { Module } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";
import type { BlockSession } from "../runtime/token-runner.js";
import type { Accuracy } from "./accuracy.js";

export interface Candidate {
  /** As reports call it: `ONNX Runtime 1.30 (cpu)`. */
  readonly name: string;
  readonly accuracy: Accuracy;
  /**
   * Runs graph `name` of the module on inputs in its order; the outputs in its order, of the element types and
   * shapes the module says. The module may be one made by isolate.ts. Calls with one module object may share work.
   */
  run(module: Module, name: string, inputs: readonly Tensor[]): Promise<readonly Tensor[]>;
  /**
   * Begins block sessions of a module with @block as the target ships them. Without it sessions on the host call `run`.
   * Not while `run` is called with the same module.
   */
  openBlocks?(module: Module, batch: number, count: number): Promise<readonly BlockSession[]>;
}
