// manifest.json of a WGSL bundle: what each file is, where every value of a step lies, which kernel runs on what,
// and how to sample. The runtime reads nothing else to run a model. Its schema: schema/wgsl-manifest.schema.json.

import { portMeanings } from "../../ir/port-meanings.js";
import type { Element } from "../../ir/tensor.js";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Bytes of an arena, an input of the graph or a tensor; of the latter two all bytes, or a part. */
export type Place =
  | { readonly arena: number; readonly offset: number; readonly bytes: number }
  | { readonly input: string; readonly offset?: number; readonly bytes?: number }
  | { readonly weight: string; readonly offset?: number; readonly bytes?: number };

export interface WgslPort {
  readonly name: string;
  /** As stored: f32, f16, i32; bool takes a u32 per element. */
  readonly element: Element;
  readonly shape: readonly number[];
  readonly meaning?: string;
}

/** An input's bytes in the buffer of the graph's inputs. */
export interface WgslInput extends WgslPort {
  readonly offset: number;
  readonly bytes: number;
}

export interface WgslOutput extends WgslPort {
  readonly bytes: number;
  readonly place: Place;
}

export interface WgslDispatch {
  /** Index into `kernels`. */
  readonly kernel: number;
  /** What `@group(0) @binding(k)` is, by k. */
  readonly bindings: readonly Place[];
  /** Workgroup counts. */
  readonly grid: readonly [number, number, number];
  /** JSON pointer into the description: where the work comes from. */
  readonly pointer: string;
}

export interface WgslGraph {
  /** `step`, `denoise`, `embed`, `round`, `time`, `encode`, `filters`, `mixer`, `block`, `prefix`. */
  readonly name: string;
  readonly length?: number;
  /** Size of the buffer of its inputs. */
  readonly inputBytes: number;
  readonly inputs: readonly WgslInput[];
  readonly outputs: readonly WgslOutput[];
  readonly dispatches: readonly WgslDispatch[];
}

export interface WgslKernelFile {
  /** The form that every device runs. */
  readonly file: string;
  readonly sha256: string;
  /** The same work for devices that have these features, best first. */
  readonly forms?: readonly {
    readonly features: readonly string[];
    readonly file: string;
    readonly sha256: string;
  }[];
  /** Access of every binding. */
  readonly bindings: readonly ("read" | "read_write")[];
  readonly workgroupSize: readonly [number, number, number];
  readonly workgroupBytes: number;
}

export interface WgslTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly offset: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface WgslManifest {
  readonly format: "dlmc-wgsl";
  readonly version: 1;
  readonly producer: { readonly name: "dlmc"; readonly version: string };
  /** Texts at once: B of every graph. */
  readonly batch: number;
  /** What a device must have, under WebGPU's names. */
  readonly requires: {
    readonly limits: Readonly<Record<string, number>>;
    readonly features: readonly string[];
  };
  /** Sizes of the arenas in bytes. A dispatch never writes the arena it reads: WebGPU takes a buffer as one or the other. */
  readonly arenas: readonly number[];
  readonly kernels: readonly WgslKernelFile[];
  readonly graphs: readonly WgslGraph[];
  readonly weights: {
    readonly file: string;
    readonly sha256: string;
    readonly bytes: number;
    readonly tensors: readonly WgslTensor[];
  };
  /** Facts of the caller: model, flags, the sampler's parts, vocabulary. */
  readonly [fact: string]: Json | object;
}

/** What the ports of the graphs with stable names are. */
const meanings: Readonly<Record<string, string>> = {
  ...portMeanings,
  "time.level": "a noise level of the timestep grid",
  "time.time": "everything that depends on the level alone",
  "step.fixed_x": "clean embeddings of the given tokens",
  "step.time": "what @time gives for this step's level",
};

/** A port of a graph with what it means, where that has a stable name. */
export function port(graph: string, name: string, element: Element, shape: readonly number[]): WgslPort {
  const meaning = meanings[`${graph}.${name}`] ?? meanings[name.replace(/\..*/, ".*")];
  return { name, element, shape, ...(meaning !== undefined && { meaning }) };
}

/** Two-space JSON with a final newline; short lists of numbers and flat objects of a list stay on one line. */
export function manifestText(manifest: object): string {
  return `${text(manifest, "")}\n`;
}

function text(value: unknown, indent: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const flat = JSON.stringify(value).replace(/(?<=[\]}"\dle]),(?=["[{\dtfn-])/g, ", ");
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (flat.length <= 140 && !value.some((v) => typeof v === "string" && v.includes(","))) return flat;
    return `[\n${value.map((item) => inner + text(item, inner)).join(",\n")}\n${indent}]`;
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{\n${entries.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${text(item, inner)}`).join(",\n")}\n${indent}}`;
}
