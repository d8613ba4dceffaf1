// A graph of the bundle on a device: its bind groups are made once, a run encodes its dispatches.

import { bug } from "../../support/diagnostic.js";
import type { CommandEncoder, ComputePass, GpuBuffer, GpuHandle } from "./gpu.js";
import type { Pipeline } from "./load-files.js";
import type { Place, WgslGraph, WgslPort } from "./manifest.js";
import type { Memory } from "./memory.js";

/** Any array of the runtime. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint16Array | Uint8Array;

/** Bytes on the device. */
export interface Range {
  readonly buffer: GpuBuffer;
  readonly offset: number;
  readonly bytes: number;
}

export interface LoadedGraph {
  readonly graph: WgslGraph;
  /** Undefined when the graph has no such input. */
  input(name: string): Range | undefined;
  output(name: string): Range;
  outputPort(name: string): WgslPort | undefined;
  /** Uploads an input; passed over when the graph does not take it. */
  write(name: string, values: HostArray): void;
  /** One compute pass with all dispatches. */
  encode(encoder: CommandEncoder): void;
  /** One pass per dispatch, with the descriptor of `passOf`. */
  encodeEach(encoder: CommandEncoder, passOf: (index: number) => object): void;
  /** The file of each dispatch's kernel. */
  readonly kernels: readonly string[];
  /** The same graph with inputs of its own, which hold nothing yet. */
  twin(): LoadedGraph;
}

/** Binds a graph. `arenas` and `weights` are shared with the other graphs. */
export function bindGraph(
  graph: WgslGraph,
  memory: Memory,
  arenas: readonly GpuBuffer[],
  weights: ReadonlyMap<string, GpuBuffer>,
  pipelines: readonly Pipeline[],
): LoadedGraph {
  const { device } = memory;
  const inputs = memory.storage(graph.inputBytes);
  const input = (name: string): Range | undefined => {
    const port = graph.inputs.find((candidate) => candidate.name === name);
    return port && { buffer: inputs, offset: port.offset, bytes: port.bytes };
  };
  const whole = (place: Place): Range => {
    if ("input" in place) return input(place.input) ?? bug(`@${graph.name} has no input ${place.input}`);
    if ("arena" in place) {
      const buffer = arenas[place.arena] ?? bug(`there is no arena ${place.arena}`);
      return { buffer, offset: 0, bytes: buffer.size };
    }
    const buffer = weights.get(place.weight) ?? bug(`the weight file has no tensor ${place.weight}`);
    return { buffer, offset: 0, bytes: buffer.size };
  };
  const range = (place: Place): Range => {
    const { buffer, offset, bytes } = whole(place);
    return { buffer, offset: offset + (place.offset ?? 0), bytes: place.bytes ?? bytes };
  };
  const dispatches = graph.dispatches.map(({ kernel, bindings, grid }) => {
    const { pipeline, layout, file } = pipelines[kernel]!;
    const entries = bindings.map((place, binding) => {
      const { buffer, offset, bytes } = range(place);
      return { binding, resource: { buffer, offset, size: Math.ceil(bytes / 4) * 4 } };
    });
    return { pipeline, group: device.createBindGroup({ layout, entries }), grid, file };
  });
  const dispatch = (
    pass: ComputePass,
    {
      pipeline,
      group,
      grid,
    }: { pipeline: GpuHandle; group: GpuHandle; grid: readonly [number, number, number] },
  ): void => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...grid);
  };
  return {
    graph,
    input,
    output(name) {
      const port = graph.outputs.find((candidate) => candidate.name === name);
      return port === undefined
        ? bug(`@${graph.name} has no output ${name}`)
        : { ...range(port.place), bytes: port.bytes };
    },
    outputPort: (name) => graph.outputs.find((candidate) => candidate.name === name),
    write(name, values) {
      const port = graph.inputs.find((candidate) => candidate.name === name);
      if (port !== undefined) device.queue.writeBuffer(inputs, port.offset, packed(port, values));
    },
    encode(encoder) {
      const pass = encoder.beginComputePass();
      for (const one of dispatches) dispatch(pass, one);
      pass.end();
    },
    encodeEach(encoder, passOf) {
      dispatches.forEach((one, index) => {
        const pass = encoder.beginComputePass(passOf(index));
        dispatch(pass, one);
        pass.end();
      });
    },
    kernels: dispatches.map(({ file }) => file),
    twin: () => bindGraph(graph, memory, arenas, weights, pipelines),
  };
}

/** Values as the port stores them; halves come as they are stored. */
function packed({ element }: WgslPort, values: HostArray): ArrayBufferView {
  switch (element) {
    case "f16":
      return values;
    case "f32":
    case "c64":
      return values instanceof Float32Array ? values : Float32Array.from(values);
    case "i32":
      return values instanceof Int32Array ? values : Int32Array.from(values);
    case "bool":
      return Uint32Array.from(values);
  }
}

/** The numbers of a port from the bytes that were read back; no output of a bundle is in halves. */
export function unpacked({ element }: WgslPort, bytes: ArrayBuffer): Float32Array | Int32Array {
  return element === "i32" || element === "bool" ? new Int32Array(bytes) : new Float32Array(bytes);
}
