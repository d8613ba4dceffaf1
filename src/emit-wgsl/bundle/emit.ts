// Module -> the files of a WGSL bundle: kernels, one weights.safetensors, manifest.json, and the page and module that
// run them. Nothing here touches a GPU; `writeWgslBundle` takes a way to open files.

import { createHash } from "node:crypto";
import type { Graph, Module } from "../../ir/graph.js";
import { type ArenaItem, arenaItem, assignArenas } from "../../support/arenas.js";
import { bug, exitCodes, Report } from "../../support/diagnostic.js";
import {
  type ByteSink,
  planSafetensors,
  type SafetensorsLayout,
  writeSafetensors,
} from "../../weights/writer.js";
import { shaped } from "../element.js";
import { defaultLimits, type Features, featureForms, type Limits, noFeatures } from "../limits.js";
import { pageFiles } from "../page/files.js";
import { loopOf } from "../page/loop-kind.js";
import { kernelFiles } from "./kernel-files.js";
import {
  type Json,
  manifestText,
  type Place,
  port,
  type WgslGraph,
  type WgslManifest,
  type WgslTensor,
} from "./manifest.js";
import { type LoweredGroup, type Program, programOf, type Slot } from "./program.js";
import { reportLimits, requirements } from "./requirements.js";
import { weightPool } from "./weight-pool.js";

export interface EmitWgslOptions {
  /** dlmc's version. */
  readonly version: string;
  /** B of every graph; 1 by default. The modules must be bound to it. */
  readonly batch?: number;
  /** Limits the kernels are built for; those of every WebGPU device by default. */
  readonly limits?: Limits;
  /** Features that kernels get a form of their own for, best first; 16-bit buffers and subgroups by default. */
  readonly forms?: readonly Features[];
  /** Facts for the manifest (input hashes, flags, sampler plan ..), in this order. */
  readonly facts?: Readonly<Record<string, Json>>;
}

/** A module for one sequence length; `length` is absent for a module that is not bound to one. */
export interface BoundModule {
  readonly module: Module;
  readonly length?: number;
}

export interface WgslBundle {
  /** File name -> text, without weights and manifest; sorted. */
  readonly files: ReadonlyMap<string, string>;
  readonly weights: {
    readonly file: string;
    readonly tensors: ReturnType<ReturnType<typeof weightPool>["tensors"]>;
    readonly metadata: Readonly<Record<string, string>>;
    readonly layout: SafetensorsLayout;
  };
  /** The manifest, once the hashes of the weight file and of its tensors are known. */
  manifest(weightsSha256: string, tensorSha256: ReadonlyMap<string, string>): WgslManifest;
}

const weightFile = "weights.safetensors";

/** Graphs with a stable name that a bundle offers. */
const publicGraphs = [
  "embed",
  "filters",
  "encode",
  "time",
  "step",
  "denoise",
  "prefix",
  "round",
  "decode",
  "mixer",
  "block",
  "update",
];

/**
 * Builds the bundle of one model, for one or several lengths that share the weights. Every dim must be bound.
 * Throws DlmcError (exit 3): `wgsl/no-kernel`, `wgsl/limit`.
 */
export function emitWgsl(modules: readonly BoundModule[], options: EmitWgslOptions): WgslBundle {
  const { version, batch = 1, limits = defaultLimits, forms = featureForms } = options;
  const pool = weightPool();
  const report = new Report();
  const built: { readonly program: Program; readonly length: number | undefined }[] = [];
  for (const { module, length } of modules) {
    const lowered = new Map<Graph, LoweredGroup>();
    const suffix = length === undefined ? "" : `L${length}`;
    for (const graph of ownGraphs(module)) {
      const environment = { limits, features: noFeatures };
      const context = { module, environment, forms, pool, suffix, report, lowered };
      built.push({ program: programOf(graph, context), length });
    }
  }
  report.throwIfErrors(exitCodes.unsupported);

  const kernels = kernelFiles();
  const arenas: number[] = [];
  const graphs = built.map(({ program, length }): WgslGraph => {
    const placed = placeValues(program, limits.minStorageBufferOffsetAlignment);
    placed.sizes.forEach((size, k) => {
      arenas[k] = Math.max(arenas[k] ?? 0, size);
    });
    return graphEntry(program, length, placed.place, kernels.add, limits.minStorageBufferOffsetAlignment);
  });
  const programs = built.map(({ program }) => program);
  const tensors = pool.tensors();
  const needed = requirements(
    programs,
    [...arenas, ...graphs.map((g) => g.inputBytes), ...tensors.map(({ name }) => pool.bytes(name))],
    programs.flatMap(({ dispatches }) => dispatches.flatMap(({ slots }) => slots.map((slot) => slot.bytes))),
  );
  reportLimits(needed, limits, report);
  report.throwIfErrors(exitCodes.unsupported);

  const metadata = { producer: `dlmc ${version}` };
  const layout = planSafetensors(tensors, metadata);
  const files = [...kernels.files, ...pageFiles(loopOf(graphs, options.facts ?? {}))].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  return {
    files: new Map(files),
    weights: { file: weightFile, tensors, metadata, layout },
    manifest: (sha256, hashes) => ({
      format: "dlmc-wgsl",
      version: 1,
      producer: { name: "dlmc", version },
      batch,
      requires: needed,
      arenas: arenas.map((size) => Math.max(4, size)),
      kernels: kernels.entries,
      graphs,
      weights: {
        file: weightFile,
        sha256,
        bytes: layout.size,
        tensors: layout.tensors.map(
          ({ name, dtype, shape, offset, length }): WgslTensor => ({
            name,
            dtype,
            shape,
            offset,
            bytes: length,
            sha256: hashes.get(name) ?? bug(`no hash of tensor ${name}`),
          }),
        ),
      },
      ...options.facts,
    }),
  };
}

function ownGraphs(module: Module): readonly Graph[] {
  const called = new Set(
    module.graphs.flatMap((g) => g.ops.filter((op) => op.name === "call").map((op) => op.attributes.graph)),
  );
  return module.graphs.filter((graph) => publicGraphs.includes(graph.name) || !called.has(graph.name));
}

/** Places every value of a program that is neither an input nor a tensor. */
function placeValues(
  { dispatches, outputs }: Program,
  alignment: number,
): { place(slot: Slot): ArenaItem; readonly sizes: readonly number[] } {
  const lifetimes = new Map<Slot, { first: number; last: number }>();
  const touch = (bound: Slot, at: number): void => {
    const slot = rootOf(bound);
    if (slot.kind === "value") lifetimes.set(slot, { first: lifetimes.get(slot)?.first ?? at, last: at });
  };
  dispatches.forEach(({ slots }, at) => {
    for (const slot of slots) touch(slot, at);
  });
  // Outputs are read after the last dispatch.
  for (const slot of outputs) touch(slot, dispatches.length);
  const items = new Map(
    [...lifetimes].map(([slot, { first, last }]) => [slot, arenaItem(slot.bytes, first, last)]),
  );
  for (const { kernel, slots } of dispatches) {
    const bound = (access: "read" | "read_write"): ArenaItem[] =>
      slots.flatMap((slot, k) =>
        kernel.bindings[k]!.access === access ? (items.get(rootOf(slot)) ?? []) : [],
      );
    for (const written of bound("read_write"))
      for (const read of bound("read")) {
        written.apart.add(read);
        read.apart.add(written);
      }
  }
  const sizes = assignArenas([...items.values()], alignment);
  return { place: (slot) => items.get(slot) ?? bug("a value is used that no dispatch makes"), sizes };
}

/** The slot whose memory a part lies in. */
function rootOf(slot: Slot): Slot {
  return slot.kind === "part" ? slot.of : slot;
}

function graphEntry(
  { graph, inputs, outputs, dispatches }: Program,
  length: number | undefined,
  arenaOf: (slot: Slot) => ArenaItem,
  addKernel: ReturnType<typeof kernelFiles>["add"],
  alignment: number,
): WgslGraph {
  const place = (slot: Slot): Place => {
    if (slot.kind === "part") {
      const outer = place(slot.of);
      return { ...outer, offset: (outer.offset ?? 0) + slot.offset, bytes: slot.bytes };
    }
    if (slot.kind === "input") return { input: slot.name };
    if (slot.kind === "weight") return { weight: slot.name };
    const { arena, offset } = arenaOf(slot);
    return { arena, offset, bytes: slot.bytes };
  };
  let end = 0;
  const ports = graph.inputs.map((value, i) => {
    const { element, shape } = shaped(value);
    const { name, bytes } = inputs[i] as Slot & { readonly kind: "input" };
    const offset = end;
    end += Math.ceil(bytes / alignment) * alignment;
    return { ...port(graph.name, name, element, shape), offset, bytes };
  });
  return {
    name: graph.name,
    ...(length !== undefined && { length }),
    inputBytes: Math.max(4, end),
    inputs: ports,
    outputs: graph.outputs.map((value, i) => {
      const { element, shape } = shaped(value);
      const slot = outputs[i]!;
      return {
        ...port(graph.name, graph.outputNames[i]!, element, shape),
        bytes: slot.bytes,
        place: place(slot),
      };
    }),
    dispatches: dispatches.map(({ kernel, forms, slots, pointer }) => ({
      kernel: addKernel(kernel, forms),
      bindings: slots.map(place),
      grid: kernel.grid,
      pointer,
    })),
  };
}

/** Opens a file of the bundle for writing; names may have one folder (`kernels/x.wgsl`). */
export type OpenFile = (name: string) => ByteSink & { close(): void };

/** Writes every file of a bundle: the weights tensor by tensor, the manifest last. */
export function writeWgslBundle(bundle: WgslBundle, open: OpenFile): WgslManifest {
  const { file, tensors, metadata, layout } = bundle.weights;
  const hash = createHash("sha256");
  const hashes = new Map<string, string>();
  const weights = open(file);
  let chunk = 0;
  writeSafetensors(
    {
      write(bytes) {
        hash.update(bytes);
        weights.write(bytes);
        // The first chunk is the header, then each tensor is one, in the order of the layout.
        const tensor = layout.tensors[chunk++ - 1];
        if (tensor !== undefined) hashes.set(tensor.name, createHash("sha256").update(bytes).digest("hex"));
      },
    },
    tensors,
    metadata,
  );
  weights.close();
  const whole = (name: string, text: string): void => {
    const sink = open(name);
    sink.write(new TextEncoder().encode(text));
    sink.close();
  };
  for (const [name, text] of bundle.files) whole(name, text);
  const manifest = bundle.manifest(hash.digest("hex"), hashes);
  whole("manifest.json", manifestText(manifest));
  return manifest;
}
