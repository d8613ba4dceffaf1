// What a kernel is: a pure result of (op or fused group, types, attributes, limits, features). Nothing here
// touches a GPU, so every kernel has a snapshot, and a memory planner can read its bindings.
//
// How a fused group becomes a kernel. A group is a graph that a `call` names. It holds at most one *anchor* (an
// op of the table in kernels/) among ops of the table in elements/, which say what one element of their result
// is. Ops before the anchor become what its kernel does when it loads an operand element; ops after it, what
// it does when it stores a result element. A group without an anchor is one loop over its output.

import type { AttributeValues, Operands, OpName } from "../ir/ops/index.js";
import type { Implementation, Shaped } from "./dispatch.js";
import type { Features, Limits } from "./limits.js";
import type { Place } from "./place.js";
import type { KernelWriter } from "./writer.js";

export type * from "./dispatch.js";

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
