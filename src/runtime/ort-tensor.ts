// Between the runtime's arrays and ONNX Runtime's tensors, by the element type that the manifest names.

import { bug } from "../support/diagnostic.js";
import { decodeHalf, encodeHalf } from "../support/half.js";
import type { ManifestPort } from "./manifest.js";
import type { OrtModule, OrtTensor } from "./ort.js";
import type { FloatArray } from "./step-runner.js";

/** Any array of the runtime. */
export type HostArray = FloatArray | Int32Array | Uint8Array;

/** ONNX Runtime's name of an ONNX element type. */
const ortTypes: Readonly<Record<string, string>> = {
  float: "float32",
  double: "float64",
  float16: "float16",
  int32: "int32",
  int64: "int64",
  bool: "bool",
};

/** The tensor of `values` for an input; `shape` is the port's with numbers for all names. */
export function toTensor(
  ort: OrtModule,
  port: ManifestPort,
  values: HostArray,
  shape: readonly number[],
): OrtTensor {
  const type = ortTypes[port.element] ?? bug(`input ${port.name} has element type ${port.element}`);
  return new ort.Tensor(type, converted(port.element, values) as never, shape);
}

function converted(element: string, values: HostArray): unknown {
  switch (element) {
    case "float":
      return values instanceof Float32Array ? values : Float32Array.from(values);
    case "double":
      return values instanceof Float64Array ? values : Float64Array.from(values);
    case "float16":
      return Uint16Array.from(values, encodeHalf);
    case "int64":
      return BigInt64Array.from(values as Int32Array, BigInt);
    case "int32":
      return values instanceof Int32Array ? values : Int32Array.from(values);
    default:
      return Uint8Array.from(values);
  }
}

/** The numbers of a float tensor. */
export function floatsOf(tensor: OrtTensor): FloatArray {
  const { data } = tensor;
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (data instanceof Uint16Array) return Float32Array.from(data, decodeHalf);
  // Float16Array, where the engine has it.
  if (tensor.type === "float16") return Float32Array.from(data as ArrayLike<number>);
  return bug(`expected a tensor of floats, got ${tensor.type}`);
}

/** The numbers of a token tensor. */
export function tokensOf(tensor: OrtTensor): Int32Array {
  const { data } = tensor;
  if (data instanceof Int32Array) return data;
  if (data instanceof BigInt64Array) return Int32Array.from(data, Number);
  return bug(`expected a tensor of token indices, got ${tensor.type}`);
}
