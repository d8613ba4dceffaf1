// Calling bound graphs: upload, one submit, read back. What the runners of both kinds of state are made of.

import { fail } from "../../support/diagnostic.js";
import type { Runner } from "../any-runner.js";
import type { Execution, Graphs } from "./execution.js";
import type { CommandEncoder, GpuBuffer } from "./gpu.js";
import { type HostArray, type LoadedGraph, unpacked } from "./graph.js";
import type { Memory } from "./memory.js";

/** What every runner over bound graphs needs. */
export interface GraphCalls {
  readonly execution: Execution;
  graph(name: string): LoadedGraph;
  /** Uploads by name, runs one graph between what `before` and `after` encode, reads outputs by name. */
  run(
    to: LoadedGraph,
    values: Readonly<Record<string, HostArray>>,
    names: readonly string[],
    before?: (encoder: CommandEncoder) => void,
    after?: (encoder: CommandEncoder) => void,
  ): Promise<(Float32Array | Int32Array)[]>;
  /** Throws `generate/batch` for another batch than the kernels were built for. */
  ofBatch(wanted: number): void;
  /** Takes the graphs for a generation that stays on the device; the function gives them back. Throws `generate/busy`. */
  hold(): () => void;
}

/** Runs a graph whose outputs are inputs of others, and copies them there. */
export function runForOthers(graphs: Graphs, name: string, { device }: Memory): void {
  const source = graphs.get(name);
  if (source === undefined) return;
  const encoder = device.createCommandEncoder();
  source.encode(encoder);
  for (const port of source.graph.outputs) {
    const from = source.output(port.name);
    for (const graph of graphs.values()) {
      const to = graph.input(port.name);
      if (to !== undefined && graph !== source)
        encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.bytes);
    }
  }
  device.queue.submit([encoder.finish()]);
}

/** A runner over bound graphs; its `dispose` gives all memory back. */
export type MakeRunner = (calls: GraphCalls) => Runner;

/** The calls; `file` is what diagnostics call the bundle. */
export function graphCalls(graphs: Graphs, memory: Memory, batch: number, file: string): GraphCalls {
  const graph = (name: string): LoadedGraph =>
    graphs.get(name) ??
    fail("bundle/missing-graph", `the bundle has no graph "${name}"`, {
      file,
      help: "compile a whole model",
    });
  let open = false;
  const refuseWhileOpen = (): void => {
    if (open) fail("generate/busy", "a generation of this model is under way", { help: "end it first" });
  };

  const submit: Execution["submit"] = async (encode, read) => {
    memory.check();
    const encoder = memory.device.createCommandEncoder();
    encode(encoder);
    const staged = read.map(({ buffer, offset, bytes }): GpuBuffer => {
      const staging = memory.staging(bytes);
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, staging.size);
      return staging;
    });
    memory.device.queue.submit([encoder.finish()]);
    return Promise.all(staged.map((staging) => memory.read(staging)));
  };
  const execution: Execution = { graphs, memory, graph, submit };

  /** Uploads by name, runs one graph, reads outputs by name. */
  const run = async (
    to: LoadedGraph,
    values: Readonly<Record<string, HostArray>>,
    names: readonly string[],
    before?: (encoder: CommandEncoder) => void,
    after?: (encoder: CommandEncoder) => void,
  ): Promise<(Float32Array | Int32Array)[]> => {
    refuseWhileOpen();
    for (const [name, value] of Object.entries(values)) to.write(name, value);
    const present = names.filter((name) => to.outputPort(name) !== undefined);
    const bytes = await submit(
      (encoder) => {
        before?.(encoder);
        to.encode(encoder);
        after?.(encoder);
      },
      present.map((name) => to.output(name)),
    );
    return present.map((name, i) => unpacked(to.outputPort(name)!, bytes[i]!));
  };
  const ofBatch = (wanted: number): void => {
    if (wanted !== batch)
      fail("generate/batch", `the bundle was compiled for a batch of ${batch}, not ${wanted}`, {
        file,
        help: `compile it again with --batch ${wanted}`,
      });
  };
  const hold = (): (() => void) => {
    memory.check();
    refuseWhileOpen();
    open = true;
    return () => {
      open = false;
    };
  };
  return { execution, graph, run, ofBatch, hold };
}
