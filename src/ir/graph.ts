// The IR: a module holds graphs, a graph holds ops in execution order, an op holds operands and results.
// Everything is immutable; a pass builds a new graph. A value's identity is the object itself.
//
// What a module promises once verify.ts has accepted it: every operand is a graph input or a result of an
// earlier op of the same graph; every op has the types its rule gives; every extent is at least 1; calls name
// graphs of the module and do not recurse.

import type { Dim } from "./dim.js";
import type { Tensor } from "./tensor.js";
import type { TensorType } from "./type.js";

/** Where in model.json an op came from, and the passes that have rewritten it since. */
export interface Loc {
  /** JSON pointer; "" is the whole description. */
  readonly pointer: string;
  readonly via: readonly string[];
}

export const nowhere: Loc = { pointer: "", via: [] };

export interface Value {
  readonly type: TensorType;
  /** A readable name; the printer makes it unique. */
  readonly hint?: string | undefined;
}

export type Attribute = number | boolean | string | Dim | readonly number[] | readonly Dim[];
export type Attributes = Readonly<Record<string, Attribute>>;

export interface Op {
  /** A key of the op registry (ops/index.ts). */
  readonly name: string;
  /** In the definition's order; `undefined` where an optional operand is absent. */
  readonly operands: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly results: readonly Value[];
  readonly loc: Loc;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly ops: readonly Op[];
  readonly outputs: readonly Value[];
  /** Names of the outputs, part of the graph's interface (ONNX output names). */
  readonly outputNames: readonly string[];
}

/** Where the tensors named by `weight` ops come from. Reads are float64. */
export interface WeightSource {
  has(name: string): boolean;
  read(name: string): Tensor;
  /** True for tables that passes computed from no weight (transform matrices, angles): exact work, not learned. */
  isFormula?(name: string): boolean;
}

export interface Module {
  /** The header: free symbols (value undefined), bound extents and named expressions, in order. */
  readonly dims: ReadonlyMap<string, Dim>;
  readonly graphs: readonly Graph[];
  readonly weights: WeightSource;
}

export const noWeights: WeightSource = {
  has: () => false,
  read: (name) => {
    throw new RangeError(`no weight named ${name}`);
  },
};

/** The graph of that name, or undefined. */
export function findGraph(module: Module, name: string): Graph | undefined {
  return module.graphs.find((g) => g.name === name);
}

/** Operands that are present. */
export function present(op: Op): Value[] {
  return op.operands.filter((v) => v !== undefined);
}
