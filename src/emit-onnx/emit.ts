// Module -> the files of an ONNX bundle: one .onnx per graph (and length), one weights.safetensors they all point
// into, one manifest.json. Nothing here touches the disk; `writeOnnxBundle` takes a way to open files.
import { createHash } from "node:crypto";
import type { Graph, Module } from "../ir/graph.js";
import { type Diagnostic, exitCodes, Report } from "../support/diagnostic.js";
import {
  type ByteSink,
  type SafetensorsLayout,
  type TensorToWrite,
  writeSafetensors,
} from "../weights/writer.js";
import type { BuiltGraph } from "./built-graph.js";
import { defaultRelease, limitsFor, portableOpset } from "./capability/opsets.js";
import { fallbacks, proveKernels } from "./cuda-proof.js";
import { lowerGraph } from "./lower-graph.js";
import { onnxOps } from "./lowerings/index.js";
import { type Json, type ManifestGraph, manifestPort, manifestText, type OnnxManifest } from "./manifest.js";
import { modelProto } from "./model.js";
import type { ModelProto, StringEntry } from "./proto/messages.js";
import { encodeModel } from "./proto/write.js";
import { sampleGraph } from "./sample-graph.js";
import type { OnnxValue } from "./value.js";
import { weightFile, weightPool } from "./weight-pool.js";

export type OnnxProfile = "standard" | "cpu" | "cuda";

export interface EmitOnnxOptions {
  /** dlmc's version. */
  readonly version: string;
  /**
   * `standard` runs on every provider that has the operators, in their most widely implemented versions; `cuda` is
   * the same with a proof that every node has a CUDA kernel; `cpu` proves CPU kernels and uses newer operators
   * (Gelu, RMSNormalization) as far as `minOrt` allows.
   */
  readonly profile?: OnnxProfile;
  /** Oldest ONNX Runtime that must read the files; bounds opset and IR version. Default 1.18. */
  readonly minOrt?: string;
  /** Also emit the whole sampling loop as sample.onnx. */
  readonly sample?: boolean;
  /** With `sample`: fixed_x differs from step to step. */
  readonly renoised?: boolean;
  /** Write rfft and irfft as ONNX's DFT operator, which has no CUDA kernel. Default: as matrix products. */
  readonly dft?: boolean;
  /** Facts for the manifest (input hashes, flags, sampler plan ..), in this order. */
  readonly facts?: Readonly<Record<string, Json>>;
  /** More facts for each file's own metadata, beside its graph, length and profile. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A module for one sequence length; `length` is absent for a module that is not bound to one. */
export interface BoundModule {
  readonly module: Module;
  readonly length?: number;
}

export interface OnnxBundle {
  readonly graphs: readonly (ManifestGraph & { readonly model: ModelProto; readonly content: Uint8Array })[];
  readonly weights: {
    readonly file: string;
    readonly tensors: readonly TensorToWrite[];
    readonly metadata: Readonly<Record<string, string>>;
    readonly layout: SafetensorsLayout;
  };
  /** The manifest, once the weight file's hash is known. */
  manifest(weightsSha256: string): OnnxManifest;
}

/** Graphs that are files of their own even when another graph calls them. */
const publicGraphs = new Set([
  "embed",
  "denoise",
  "prefix",
  "round",
  "decode",
  "step",
  "time",
  "filters",
  "encode",
  "mixer",
  "block",
]);

/**
 * Builds the bundle of one model, for one or several lengths that share the weights.
 * Throws DlmcError: `onnx/min-ort` (exit 2), `onnx/no-lowering`, `onnx/no-cuda-kernel` (exit 3).
 */
export function emitOnnx(modules: readonly BoundModule[], options: EmitOnnxOptions): OnnxBundle {
  const minOrt = options.minOrt ?? defaultRelease;
  const profile = options.profile ?? "standard";
  const newest = limitsFor(minOrt);
  const limits = profile === "cpu" ? newest : { ...newest, opset: Math.min(newest.opset, portableOpset) };
  const lowering = { dft: options.dft ?? false };
  const pool = weightPool();
  const report = new Report();
  const built: { readonly graph: BuiltGraph; readonly length: number | undefined }[] = [];
  for (const { module } of modules) reportHoles(module, report);
  report.throwIfErrors(exitCodes.unsupported);
  for (const { module, length } of modules) {
    const scoped = pool.scope(length === undefined ? "" : `L${length}`);
    for (const graph of ownFiles(module))
      built.push({ graph: lowerGraph(module, graph, limits, scoped, lowering), length });
    const sample =
      options.sample === true
        ? sampleGraph(module, limits, scoped, { ...lowering, renoised: options.renoised })
        : undefined;
    if (sample !== undefined) built.push({ graph: sample, length });
  }
  if (profile !== "standard") {
    for (const { graph } of built) proveKernels(graph, profile, report);
    report.throwIfErrors(exitCodes.unsupported);
  }
  const weightMetadata = { producer: `dlmc ${options.version}` };
  const tensors = pool.tensors();
  const layout = pool.plan(weightMetadata);
  const several = modules.length > 1;
  const graphs = built.map(({ graph, length }) => {
    const port = (value: OnnxValue) => manifestPort(graph.name, graph.names.get(value)!, value.type);
    const ports = { inputs: graph.inputs.map(port), outputs: graph.outputs.map(port) };
    const meanings = new Map([...ports.inputs, ...ports.outputs].map(({ name, meaning }) => [name, meaning]));
    const facts = {
      "dlmc.graph": graph.name,
      ...(length === undefined ? {} : { "dlmc.length": String(length) }),
      "dlmc.profile": profile,
      ...options.metadata,
    };
    const metadata = Object.entries(facts).map(([key, value]): StringEntry => ({ key, value }));
    const meaning = (name: string) => meanings.get(name);
    const model = modelProto(graph, { limits, layout, version: options.version, meaning, metadata });
    const content = encodeModel(model);
    return {
      name: graph.name,
      file: several && length !== undefined ? `${graph.name}.L${length}.onnx` : `${graph.name}.onnx`,
      ...(length === undefined ? {} : { length }),
      opset: graph.opset,
      irVersion: model.irVersion,
      fallbacks: { cuda: fallbacks(graph, "cuda"), webgpu: fallbacks(graph, "webgpu") },
      sha256: createHash("sha256").update(content).digest("hex"),
      bytes: content.byteLength,
      ...ports,
      model,
      content,
    };
  });
  return {
    graphs,
    weights: { file: weightFile, tensors, metadata: weightMetadata, layout },
    manifest: (weightsSha256) => ({
      format: "dlmc-onnx",
      version: 1,
      producer: { name: "dlmc", version: options.version },
      profile,
      minOrt,
      graphs: graphs.map(({ model: _model, content: _content, ...entry }) => entry),
      weights: { file: weightFile, sha256: weightsSha256, bytes: layout.size },
      ...options.facts,
    }),
  };
}

/** Opens a file of the bundle for writing. */
export type OpenFile = (name: string) => ByteSink & { close(): void };

/** Writes every file of a bundle: the weights tensor by tensor, then the graphs, the manifest last. */
export function writeOnnxBundle(bundle: OnnxBundle, open: OpenFile): OnnxManifest {
  const { file, tensors, metadata } = bundle.weights;
  const hash = createHash("sha256");
  const weights = open(file);
  const tee: ByteSink = {
    write(bytes) {
      hash.update(bytes);
      weights.write(bytes);
    },
  };
  writeSafetensors(tee, tensors, metadata);
  weights.close();
  const whole = (name: string, bytes: Uint8Array): void => {
    const sink = open(name);
    sink.write(bytes);
    sink.close();
  };
  for (const graph of bundle.graphs) whole(graph.file, graph.content);
  const manifest = bundle.manifest(hash.digest("hex"));
  whole("manifest.json", new TextEncoder().encode(manifestText(manifest)));
  return manifest;
}

/** Graphs with a stable name, and those nobody calls. */
function ownFiles(module: Module): readonly Graph[] {
  const called = new Set(
    module.graphs.flatMap((graph) =>
      graph.ops.filter((op) => op.name === "call").map((op) => op.attributes.graph),
    ),
  );
  return module.graphs.filter((graph) => publicGraphs.has(graph.name) || !called.has(graph.name));
}

function reportHoles(module: Module, report: Report): void {
  for (const graph of module.graphs)
    for (const op of graph.ops) {
      if (onnxOps.has(op.name)) continue;
      const problem: Omit<Diagnostic, "severity" | "code" | "message"> = { pointer: op.loc.pointer };
      report.error("onnx/no-lowering", `ONNX has no lowering of ${op.name} (graph @${graph.name})`, problem);
    }
}
