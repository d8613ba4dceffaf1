// WGSL on WebGPU as a candidate: a module is emitted as a bundle to a temporary directory, loaded from there and run.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { emitWgsl, writeWgslBundle } from "../emit-wgsl/bundle/emit.js";
import { featureNames } from "../emit-wgsl/limits.js";
import { findGraph, type Graph, type Module } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import { bindDims } from "../passes/bind-dims.js";
import { webgpuBlockRunner } from "../runtime/webgpu/block-session.js";
import type { GpuDevice } from "../runtime/webgpu/gpu.js";
import { unpacked } from "../runtime/webgpu/graph.js";
import { graphCalls } from "../runtime/webgpu/graph-calls.js";
import { type OpenedGraphs, openGraphs } from "../runtime/webgpu/model.js";
import { wgsl } from "../runtime-check/accuracy.js";
import type { Candidate } from "../runtime-check/candidate.js";
import { bug, type Diagnostic, DlmcError, exitCodes } from "../support/diagnostic.js";
import { decodeHalf, encodeHalf } from "../support/half.js";
import { version } from "../version.js";
import { openGpu } from "./gpu.js";

const noAdapter: Diagnostic = {
  severity: "error",
  code: "environment/adapter",
  message: "WebGPU finds no graphics adapter",
  help: "install a Vulkan driver (scripts/install-webgpu-drivers.sh brings software ones)",
};

/**
 * The candidate for modules planned for `batch` texts at once, and the release of what it holds. Throws `environment/webgpu` and `environment/adapter` (exit code
 * 5); its runs throw `wgsl/no-kernel` and `wgsl/limit` (exit code 3).
 */
export async function wgslCandidate(batch: number): Promise<Candidate & { dispose(): Promise<void> }> {
  const gpu = await openGpu();
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new DlmcError([noAdapter], exitCodes.environment);
  // Kernels ask for no more limits than every device has; their better forms are what is checked where they would run.
  const requiredFeatures = Object.values(featureNames).filter((name) => adapter.features.has(name));
  const device = await adapter.requestDevice({ requiredFeatures });
  const { info } = adapter as { readonly info?: { readonly description?: string; readonly vendor?: string } };
  let loaded: (OpenedGraphs & { readonly key: string; readonly module: Module }) | undefined;
  const load = async (module: Module, sizes: Readonly<Record<string, number>>): Promise<OpenedGraphs> => {
    const key = JSON.stringify(sizes);
    if (loaded?.module === module && loaded.key === key) return loaded;
    loaded?.memory.destroy();
    loaded = undefined;
    loaded = { ...(await opened(bindDims(sizes).run(module), device)), key, module };
    return loaded;
  };
  return {
    name: `WebGPU (${info?.description || info?.vendor || "unknown adapter"})`,
    accuracy: wgsl,
    async run(module, name, inputs) {
      const graph = findGraph(module, name) ?? bug(`no graph @${name}`);
      const { graphs, memory } = await load(module, sizesOf(module, graph, inputs, batch));
      const bound = graphs.get(name) ?? bug(`the emitter left out @${name}`);
      bound.graph.inputs.forEach((port, i) => {
        const { data } = inputs[i]!;
        bound.write(port.name, port.element === "f16" ? halvesOf(data) : data);
      });
      const encoder = device.createCommandEncoder();
      bound.encode(encoder);
      const staged = bound.graph.outputs.map((port) => {
        const { buffer, offset } = bound.output(port.name);
        const staging = memory.staging(port.bytes);
        encoder.copyBufferToBuffer(buffer, offset, staging, 0, staging.size);
        return staging;
      });
      device.queue.submit([encoder.finish()]);
      return Promise.all(
        bound.graph.outputs.map(async (port, i) => {
          const bytes = await memory.read(staged[i]!);
          const numbers = port.element === "f16" ? numbersOf(bytes) : unpacked(port, bytes);
          const size = inputsSize(port.shape, port.element);
          return tensor(port.element, port.shape, Float64Array.from(numbers.subarray(0, size)));
        }),
      );
    },
    async openBlocks(module, texts, count) {
      const graph = findGraph(module, "block") ?? bug("no graph @block");
      const { graphs, memory } = await load(module, sizesOf(module, graph, [], batch));
      const calls = graphCalls(graphs, memory, batch, "the bundle");
      const sessions = webgpuBlockRunner(calls).openBlocks!(texts, count);
      await memory.allocated();
      return sessions;
    },
    async dispose() {
      loaded?.memory.destroy();
      device.destroy();
    },
  };
}

/** Halves as a buffer holds them, padded to the four bytes that a write takes. */
function halvesOf(data: Float64Array): Uint16Array {
  const halves = new Uint16Array(Math.ceil(data.length / 2) * 2);
  data.forEach((value, i) => {
    halves[i] = encodeHalf(value);
  });
  return halves;
}

function numbersOf(halves: ArrayBuffer): Float32Array {
  return Float32Array.from(new Uint16Array(halves), decodeHalf);
}

function inputsSize(shape: readonly number[], element: string): number {
  return shape.reduce((n, extent) => n * extent, element === "c64" ? 2 : 1);
}

/** Sizes of the module's free dims: those of the inputs; for what this graph does not have, B texts and 1 of the rest. */
function sizesOf(
  module: Module,
  graph: Graph,
  inputs: readonly Tensor[],
  batch: number,
): Record<string, number> {
  const free = [...module.dims].filter(
    ([, extent]) => extent.value === undefined && /^\w+$/.test(extent.key),
  );
  const sizes: Record<string, number> = Object.fromEntries(
    free.map(([name]) => [name, name === "B" ? batch : 1]),
  );
  graph.inputs.forEach((value, i) => {
    value.type.shape.forEach((extent, axis) => {
      const size = inputs[i]?.shape[axis];
      if (extent.key in sizes && size !== undefined) sizes[extent.key] = size;
    });
  });
  return sizes;
}

/** The module as a bundle on the device; its files are gone again once it is there. */
async function opened(module: Module, device: GpuDevice): Promise<OpenedGraphs> {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-check-"));
  try {
    writeWgslBundle(emitWgsl([{ module }], { version }), (name) => {
      const parts: Uint8Array[] = [];
      const path = join(directory, name);
      return {
        write: (bytes) => {
          parts.push(bytes.slice());
        },
        close() {
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, Buffer.concat(parts));
        },
      };
    });
    return await openGraphs(directory, { device });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
