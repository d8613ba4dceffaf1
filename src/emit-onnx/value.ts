// Values of an ONNX graph under construction: a type, and for constants the way to their numbers.
// Identity is the object, as in the IR; names are given when the graph is finished.
import type { Dim } from "../ir/dim.js";
import { dim } from "../ir/dim.js";
import type { Element, Tensor } from "../ir/tensor.js";
import type { TensorType } from "../ir/type.js";
import type { OnnxElement } from "./proto/messages.js";

export interface OnnxType {
  readonly element: OnnxElement;
  readonly shape: readonly Dim[];
}

/** The numbers of a constant; nothing is stored in the model before a node uses it. */
export interface OnnxConstant {
  /** Its name in the weight file. Without one it is inline, or named after its content when it is large. */
  readonly weight?: string;
  /** Reads the numbers, in the order and with the shape of the value's type. */
  read(): Tensor;
}

export interface OnnxValue {
  readonly type: OnnxType;
  /** A wish; the builder makes it unique. */
  readonly name: string;
  readonly constant?: OnnxConstant;
}

const elements: Readonly<Record<Element, OnnxElement>> = {
  f32: "float",
  f16: "float16",
  c64: "float",
  i32: "int64",
  bool: "bool",
};

/** i32 is INT64 (what ONNX uses for indices), c64 is f32 with a last axis (re, im). */
export function onnxElement(element: Element): OnnxElement {
  return elements[element];
}

export function onnxType({ element, shape }: TensorType): OnnxType {
  return { element: onnxElement(element), shape: element === "c64" ? [...shape, dim(2)] : shape };
}

/** Bytes per element of what dlmc stores. */
export const elementBytes = { float: 4, float16: 2, int64: 8, int32: 4, bool: 1, double: 8 } as const;
export type StoredElement = keyof typeof elementBytes;
