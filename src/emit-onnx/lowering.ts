// What a lowering is: a function from an op's ONNX operands and attributes to its ONNX results.
import type { AttributeValues, Operands, OpName } from "../ir/ops/index.js";
import type { TensorType } from "../ir/type.js";
import type { GraphBuilder } from "./graph-builder.js";
import type { OnnxValue } from "./value.js";

export interface LoweringContext {
  /** Types of the op's operands and results in the IR, where ONNX's say less (c64, i32). */
  readonly operandTypes: readonly (TensorType | undefined)[];
  readonly resultTypes: readonly TensorType[];
}

/** Turns one IR op into nodes; returns its results in order. Never throws on a verified module. */
export type OnnxLowering<N extends OpName> = (
  operands: Operands<N, OnnxValue>,
  attributes: AttributeValues<N>,
  builder: GraphBuilder,
  context: LoweringContext,
) => OnnxValue | readonly OnnxValue[];

/** A table of lowerings by op name. */
export type OnnxLowerings = { readonly [N in OpName]?: OnnxLowering<N> };
