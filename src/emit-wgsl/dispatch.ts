// What a finished kernel is made of: plain data that a bundle, a memory planner and a test can read.

import type { Element } from "../ir/tensor.js";
import type { Features } from "./limits.js";

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
