// What a kernel is: a pure result of (op or fused group, types, attributes, limits, features). Nothing here
// touches a GPU, so every kernel has a snapshot, and a memory planner can read its bindings.
//
// How a fused group becomes a kernel. A group is a graph that a `call` names. It holds at most one *anchor* (an
// op of the table in kernels/) among ops of the table in elements/, which say what one element of their result
// is. Ops before the anchor become what its kernel does when it loads an operand element; ops after it, what
// it does when it stores a result element. A group without an anchor is one loop over its output.

import type { AttributeValues, Operands, OpName } from "../ir/ops/index.js";
import type { Element } from "../ir/tensor.js";
import type { Features, Limits } from "./limits.js";
import type { Place } from "./place.js";
import type { KernelWriter } from "./writer.js";

/** A type with every extent a number (B is bound before emission). */
export interface Shaped {
  readonly element: Element;
  readonly shape: readonly number[];
}

/**
 * Which buffer a binding wants: input k or output k of the op or group; memory that lives only between the
 * dispatches of one implementation; or a constant the kernel brings with it (twiddles), shared by name.
 */
export type BufferRole =
  | { readonly kind: "operand"; readonly index: number }
  | { readonly kind: "result"; readonly index: number }
  | { readonly kind: "scratch"; readonly index: number }
  | { readonly kind: "table"; readonly name: string };

/** `@group(0) @binding(k)`, k being its position in `Kernel.bindings`. */
export interface Binding {
  readonly role: BufferRole;
  /** The WGSL variable. */
  readonly name: string;
  /** Element as stored: f32, f16, i32; bool takes a u32 per element, c64 a vec2f. */
  readonly element: Element;
  /** Number of elements. */
  readonly length: number;
  readonly access: "read" | "read_write";
}

/** One dispatch. */
export interface Kernel {
  /** After op and shape: `linear_97x24_to_72`. The same name and code mean the same file. */
  readonly name: string;
  readonly code: string;
  readonly bindings: readonly Binding[];
  /** Workgroup counts. */
  readonly grid: readonly [x: number, y: number, z: number];
  readonly workgroupSize: readonly [x: number, y: number, z: number];
  /** Workgroup memory, in bytes. */
  readonly workgroupBytes: number;
  /** Distinct bytes the dispatch reads (its footprint: what caches serve again is not counted again). */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Features the code enables. */
  readonly features: readonly (keyof Features)[];
}

/** Memory needed between the dispatches of one implementation. */
export interface Scratch {
  readonly element: Element;
  readonly length: number;
}

/** A constant that kernels bring with them. Equal names are equal tables. */
export interface Table {
  readonly name: string;
  readonly element: Element;
  /** Numbers, c64 as pairs. */
  readonly values: Float64Array;
}

/** What an op or group becomes: dispatches in order. */
export interface Implementation {
  readonly kernels: readonly Kernel[];
  readonly scratch: readonly Scratch[];
  readonly tables: readonly Table[];
}

/** An operand of an anchor as its kernel sees it: a buffer, or what the ops before the anchor make of buffers. */
export interface Source extends Shaped {
  /** True when loading an element is one buffer read: worth no copy in workgroup memory for the arithmetic's sake. */
  readonly plain: boolean;
  /** WGSL value of the element at `place` (f32 for f16 too, i32, bool, vec2f); vec4f when the place has four lanes. */
  load(place: Place): string;
}

/** A result of an anchor as its kernel sees it: storing runs the ops after the anchor. */
export interface Sink extends Shaped {
  /** Statements that take `value`, the anchor's result at `place`. Each element is stored exactly once. */
  store(place: Place, value: string): void;
}

/** What an anchor's kernel writes with: one per dispatch. */
export interface Opened<N extends OpName> {
  readonly writer: KernelWriter;
  readonly operands: Operands<N, Source>;
  readonly results: readonly Sink[];
}

/** What an anchor's kernel is asked for. */
export interface KernelRequest<N extends OpName> {
  readonly attributes: AttributeValues<N>;
  readonly operandTypes: Operands<N, Shaped>;
  readonly resultTypes: readonly Shaped[];
  /** The group's own name parts after the anchor's: `_silu_mul`, or "". */
  readonly suffix: string;
  /** What the ops around the anchor compute, a line each, for the comment at the top of the code. */
  readonly around: readonly string[];
  readonly limits: Limits;
  readonly features: Features;
  /**
   * A new dispatch. `lanes: 4` declares buffers as vec4f where their length allows, for kernels that load at
   * places with four lanes; `stores: 4` (as `lanes` when left out) says that results are stored at such places.
   */
  open(options?: { readonly lanes?: 1 | 4; readonly stores?: 1 | 4 }): Opened<N>;
}

/** The kernel of one op. Never throws on a verified module: what cannot fit is a diagnostic. */
export type WgslKernel<N extends OpName> = (request: KernelRequest<N>) => Implementation;

/** A table of kernels by op name. */
export type WgslKernels = { readonly [N in OpName]?: WgslKernel<N> };
